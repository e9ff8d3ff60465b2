"""The training curve as an SVG drawing that takes its colours from the page it stands in."""

from collections.abc import Callable, Sequence

from markupsafe import Markup

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 16, 34

_Axis = Callable[[float], float]


def curve_svg(losses: Sequence[float], checkpoints: Sequence[int] = (), chosen: int | None = None) -> Markup:
    """Losses by step, as points and as a running mean; ticks are checkpoints, a line marks the chosen one.

    Raises: ValueError when there are no losses.
    """
    if not losses:
        raise ValueError("a curve needs at least one loss")
    smooth = running_mean(losses, window=max(1, len(losses) // 16))
    top = sorted(losses)[int(0.98 * (len(losses) - 1))] * 1.08 or 1.0

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / len(losses)

    def y(loss: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(loss / top, 1.0)

    stride = max(1, len(losses) // 500)
    dots = "".join(f"M{x(i + 1):.1f} {y(loss):.1f}h0" for i, loss in enumerate(losses) if i % stride == 0)
    line = "M" + "L".join(f"{x(i + 1):.1f} {y(loss):.1f}" for i, loss in enumerate(smooth))
    parts = [_horizontal(top * share, y) for share in (0, 0.25, 0.5, 0.75, 1)]
    parts += [_tick(step, x, step == chosen) for step in checkpoints]
    parts += [f'<path class="dots" d="{dots}"/><path class="line" d="{line}"/>']
    title = f"Training loss over {len(losses)} steps, from {smooth[0]:.4f} down to {smooth[-1]:.4f}"
    return Markup(
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        f"{''.join(parts)}</svg>"
    )


def running_mean(values: Sequence[float], window: int) -> list[float]:
    """The mean of each value and up to `window` neighbours on both sides; as many as came in."""
    means = []
    for i in range(len(values)):
        near = values[max(0, i - window) : i + window + 1]
        means.append(sum(near) / len(near))
    return means


def _horizontal(loss: float, y: _Axis) -> str:
    at = y(loss)
    return (
        f'<path class="rule" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{loss:.3f}</text>'
    )


def _tick(step: int, x: _Axis, is_chosen: bool) -> str:
    at, foot = x(step), HEIGHT - BOTTOM
    kind = "chosen" if is_chosen else "tick"
    rise = foot - TOP if is_chosen else 5
    anchor = "end" if at > WIDTH - 40 else "middle"
    return (
        f'<path class="{kind}" d="M{at:.1f} {foot}v{-rise}"/>'
        f'<text x="{at:.1f}" y="{foot + 18}" text-anchor="{anchor}">{step}</text>'
    )
