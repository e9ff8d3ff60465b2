// What has happened in a training, out of its events: the curve, the news, and the pictures on the way.

import type { ServerEvent } from "../../api/events.ts";
import type { JobFile } from "../../api/types.ts";

export interface Point {
  step: number;
  loss: number;
}

export interface Story {
  /** The loss by step, ascending. */
  points: Point[];
  notes: string[];
  /** How often it was interrupted and went on. */
  interruptions: number;
}

/** A training taken up from a checkpoint repeats steps: what came after them before is forgotten. */
export function storyOf(events: readonly ServerEvent[]): Story {
  const story: Story = { points: [], notes: [], interruptions: 0 };
  for (const event of events) {
    const data = event.data as Record<string, unknown>;
    if (event.kind === "progress" && data["stage"] === "training") addPoint(story.points, data);
    if (event.kind === "interrupted") story.interruptions++;
    if (event.kind === "note" && typeof data["message"] === "string" && !story.notes.includes(data["message"])) {
      story.notes.push(data["message"]);
    }
  }
  return story;
}

function addPoint(points: Point[], data: Record<string, unknown>): void {
  const { done: step, loss } = data;
  if (typeof step !== "number") return;
  while (points.length && (points.at(-1)?.step ?? 0) >= step) points.pop();
  if (typeof loss === "number" && Number.isFinite(loss)) points.push({ step, loss });
}

/** The whole curve, from the file that a finished training leaves: an object a line. */
export function pointsOf(text: string): Point[] {
  const points: Point[] = [];
  for (const line of text.split("\n")) {
    if (!line.trim()) continue;
    try {
      const { step, loss } = JSON.parse(line) as Record<string, unknown>;
      if (typeof step === "number" && typeof loss === "number") points.push({ step, loss });
    } catch {
      continue; // a last line that was cut short
    }
  }
  return points;
}

/** The curve without its noise: a running mean that forgets, corrected for its beginning. */
export function smoothed(points: readonly Point[], keep = 0.95): number[] {
  let [sum, weight, last] = [0, 0, 0];
  return points.map(({ step, loss }) => {
    const kept = keep ** Math.max(1, step - last);
    last = step;
    sum = kept * sum + (1 - kept) * loss;
    weight = kept * weight + (1 - kept);
    return sum / weight;
  });
}

export interface Moment {
  step: number;
  files: JobFile[];
}

/** Previews by the step they were drawn at, ascending. Their names say it: `step-000050-0.png`. */
export function momentsOf(files: readonly JobFile[]): Moment[] {
  const moments = new Map<number, JobFile[]>();
  for (const file of files) {
    const step = Number(/^step-(\d+)-\d+\.png$/.exec(file.name)?.[1] ?? Number.NaN);
    if (Number.isNaN(step)) continue;
    moments.set(step, [...(moments.get(step) ?? []), file]);
  }
  return [...moments]
    .map(([step, own]) => ({ step, files: own.sort((a, b) => (a.name < b.name ? -1 : 1)) }))
    .sort((a, b) => a.step - b.step);
}
