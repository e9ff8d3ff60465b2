// The loss by step: what was measured, thin, and its running mean, bold. uPlot draws it on a canvas.

import "uplot/dist/uPlot.min.css";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { colourOf, useIsDark } from "../../ui/colours.ts";
import { formatNumber } from "../../words/format.ts";
import { language, words } from "../../words/index.ts";
import { type Point, smoothed } from "./story.ts";

const HEIGHT_PX = 240;

export function Curve(props: { points: readonly Point[]; numSteps: number | null; chosen: number | null }): JSX.Element {
  const text = words.value.teach.curve;
  const { points, numSteps, chosen } = props;
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const isDark = useIsDark();
  const data = dataOf(points);
  const range = useRef({ numSteps, chosen });
  range.current = { numSteps, chosen };

  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    const made = new uPlot(optionsOf(element, range.current, text), data, element);
    plot.current = made;
    const watcher = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [isDark, language.value, numSteps, chosen]);

  useEffect(() => plot.current?.setData(data), [points]);

  const [first, last] = [data[2].at(0), data[2].at(-1)];
  const described =
    typeof first === "number" && typeof last === "number"
      ? text.described(formatNumber(first, 3), formatNumber(last, 3), formatNumber(points.at(-1)?.step ?? 0))
      : text.none;
  return (
    <figure class="teach-curve">
      <div ref={host} class="teach-plot" role="img" aria-label={described} />
      <figcaption class="fine">{points.length ? text.hint : text.none}</figcaption>
    </figure>
  );
}

function dataOf(points: readonly Point[]): [number[], number[], number[]] {
  return [points.map(({ step }) => step), points.map(({ loss }) => loss), smoothed(points)];
}

function optionsOf(
  element: HTMLElement,
  range: { numSteps: number | null; chosen: number | null },
  text: { step: string; loss: string; mean: string },
): uPlot.Options {
  const soft = colourOf(element, "--ink-soft");
  const axis: uPlot.Axis = {
    stroke: soft,
    grid: { stroke: colourOf(element, "--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const number = (value: number | null, digits: number): string => (value === null ? "–" : formatNumber(value, digits));
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    legend: { live: true, markers: { show: false } },
    scales: {
      x: { time: false, range: (_plot, _min, max) => [0, Math.max(range.numSteps ?? 1, max ?? 1)] },
      y: { range: (plot) => [0, topOf(plot.data[1] ?? [])] },
    },
    axes: [
      { ...axis, size: 32, values: (_plot, splits) => splits.map((value) => number(value, 0)) },
      { ...axis, size: 52, values: (_plot, splits) => splits.map((value) => number(value, 3)) },
    ],
    series: [
      { label: text.step, value: (_plot, value) => number(value, 0) },
      { label: text.loss, stroke: colourOf(element, "--line-strong"), width: 1, points: { show: false }, value: (_plot, value) => number(value, 4) },
      { label: text.mean, stroke: colourOf(element, "--wax-text"), width: 2.5, points: { show: false }, value: (_plot, value) => number(value, 4) },
    ],
    hooks: {
      draw: range.chosen === null ? [] : [(plot) => mark(plot, range.chosen ?? 0, soft)],
      setCursor: [sayLast],
      setData: [sayLast],
    },
  };
}

/** Where the scale ends: a few steps that went far astray would flatten all others, and are cut off. */
function topOf(losses: ArrayLike<number | null | undefined>): number {
  const known = Array.from(losses).filter((loss) => typeof loss === "number");
  known.sort((a, b) => a - b);
  const usual = known[Math.floor(0.95 * (known.length - 1))] ?? 0;
  return usual > 0 ? 1.4 * usual : 1;
}

/** Says the newest values while nothing is pointed at. */
function sayLast(plot: uPlot): void {
  const last = plot.data[0].length - 1;
  const isPointed = plot.cursor.idx !== null && plot.cursor.idx !== undefined;
  if (last >= 0 && !isPointed) plot.setLegend({ idx: last }, false);
}

/** A dashed line at the step whose state became the seal. */
function mark(plot: uPlot, step: number, colour: string): void {
  const x = Math.round(plot.valToPos(step, "x", true));
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}
