// The studio's own icons: strokes on a 24 px grid, in the colour of the text around them. Decoration only: whatever
// they stand on has a label.

import type { JSX } from "preact";

const PATHS = {
  teach: "M4 19V7l8-3 8 3v12M4 19h16M9 19v-5h6v5M8.500 9.500h.01M12 8.500h.01M15.500 9.500h.01",
  make: "M14.500 5.500l4 4M4 20l1-4L16 5a2 2 0 0 1 3 3L8 19zM13 20h7",
  prove: "M12 3l2.200 1.600 2.700 0 .9 2.600 2.200 1.600-.8 2.600.8 2.600-2.200 1.600-.9 2.600h-2.700L12 20l-2.200-1.800H7.100l-.9-2.600L4 14l.8-2.600L4 8.800l2.200-1.600.9-2.600h2.700zM9 11.700l2.200 2.200L15.200 9.500",
  library: "M5 4h4v16H5zM9 4h4v16H9zM14.500 5l3.500-.9L22 19l-3.500.9z",
  admin: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.500v5M9 14.500v5",
  settings: "M12 8.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM12 3v2.500M12 18.500V21M3 12h2.500M18.500 12H21M5.600 5.600l1.800 1.800M16.600 16.600l1.800 1.800M18.400 5.600l-1.800 1.800M7.400 16.600l-1.800 1.800",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  check: "M5 12.500l4.500 4.500L19 7.500",
  copy: "M9 9h10v11H9zM5 15V4h10",
  download: "M12 4v11M7.500 11l4.500 4.500 4.500-4.500M5 20h14",
  upload: "M12 16V5M7.500 9.500L12 5l4.500 4.500M5 20h14",
  trash: "M4 7h16M9 7V4h6v3M6.500 7l1 13h9l1-13M10 11v5M14 11v5",
  search: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.500 15.500L20 20",
  share: "M8 12h8M13 8l4 4-4 4M20 5v14M4 12h.01",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  unlock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 6.700-1.500",
  dice: "M5 5h14v14H5zM9 9h.01M15 9h.01M12 12h.01M9 15h.01M15 15h.01",
  again: "M5 12a7 7 0 1 0 2-4.900M7 3v4.500h4.500",
  key: "M8 9.500a4.500 4.500 0 1 0 0 5zM12.500 12H21M18 12v3.500M15 12v2.500",
  people: "M9 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM3.500 19a5.500 5.500 0 0 1 11 0M16 6a2.500 2.500 0 1 1 0 5M17 14a4.500 4.500 0 0 1 3.500 5",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  down: "M5 9l7 7 7-7",
  warning: "M12 4l9 16H3zM12 10v4.500M12 17.300h.01",
  stop: "M7 7h10v10H7z",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 2.500-2.500L20 17M15.500 9h.01",
  out: "M14 5H5v14h9M11 12h9M16.500 8.500L20 12l-3.500 3.500",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
