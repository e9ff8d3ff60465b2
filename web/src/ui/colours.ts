// The colours of tokens.css as a canvas wants them, and when they change.

import { useEffect, useState } from "preact/hooks";
import { scheme } from "../state/look.ts";

/** The colour behind a variable as it is where `element` stands: `rgb(…)`. */
export function colourOf(element: HTMLElement, variable: `--${string}`): string {
  const probe = document.createElement("span"); // a new one: a colour that changes might do so slowly
  probe.style.color = `var(${variable})`;
  element.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** Whether colours are dark just now; whoever asks is drawn again when that changes. */
export function useIsDark(): boolean {
  const [isSystemDark, setSystemDark] = useState(matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const system = matchMedia("(prefers-color-scheme: dark)");
    const hear = (): void => setSystemDark(system.matches);
    system.addEventListener("change", hear);
    return () => system.removeEventListener("change", hear);
  }, []);
  return scheme.value === "system" ? isSystemDark : scheme.value === "dark";
}
