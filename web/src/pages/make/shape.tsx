// The pictures' width and height: as the base draws best, wider, taller, or as one likes.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { base } from "../../state/base.ts";
import { Choice, NumberField } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import { change, draft } from "./draft.ts";

type Shape = "square" | "wide" | "tall" | "own";
const SHAPES = ["square", "wide", "tall", "own"] as const;

export function ShapeFields(): JSX.Element {
  const text = words.value.make;
  const isOwn = useSignal(false);
  const { width, height } = draft.value;
  const shape = isOwn.value ? "own" : shapeOf(width, height);
  const choose = (wanted: Shape): void => {
    isOwn.value = wanted === "own";
    const [short, long] = sides();
    if (wanted === "square") change({ width: null, height: null });
    else if (wanted === "wide") change({ width: long, height: short });
    else if (wanted === "tall") change({ width: short, height: long });
    else change({ width: width ?? short, height: height ?? short });
  };
  const step = base.value?.side_step_px ?? 8;
  return (
    <>
      <Choice
        label={text.shape}
        value={shape}
        options={SHAPES.map((value) => ({ value, text: text.shapes[value] }))}
        onChange={choose}
      />
      {shape === "own" && (
        <div class="pair">
          <NumberField
            label={text.width}
            hint={text.sizeHint(step)}
            value={width}
            min={8}
            max={2048}
            step={step}
            onInput={(value) => change({ width: value })}
          />
          <NumberField
            label={text.height}
            value={height}
            min={8}
            max={2048}
            step={step}
            onInput={(value) => change({ height: value })}
          />
        </div>
      )}
    </>
  );
}

/** The base's own side, and half as much again, as near as it can be drawn. */
function sides(): [number, number] {
  const side = base.value?.side_px ?? 128;
  const step = base.value?.side_step_px ?? 8;
  return [side, Math.round((side * 1.5) / step) * step];
}

function shapeOf(width: number | null, height: number | null): Shape {
  const [short, long] = sides();
  if (width === null && height === null) return "square";
  if (width === short && height === short) return "square";
  if (width === long && height === short) return "wide";
  if (width === short && height === long) return "tall";
  return "own";
}
