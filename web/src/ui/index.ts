// Everything that pages are built of, in one import.

export { Button, ConfirmButton, LinkButton } from "./button.tsx";
export { colourOf, useIsDark } from "./colours.ts";
export { Compare, type Side } from "./compare.tsx";
export { Dialog } from "./dialog.tsx";
export { DropZone } from "./drop.tsx";
export { Checkbox, Choice, Field, NumberField, Select, Slider, TextArea, TextField } from "./fields.tsx";
export { Icon, type IconName } from "./icons.tsx";
export { Mark, Rosette, WaxSeal } from "./mark.tsx";
export { complain, EmptyState, ErrorNote, say, told, Waiting, WarningNote } from "./notes.tsx";
export { Announced, AuthImage, Badge, Card, CopyButton, Disclosure, NoScope, PageHead, ProgressBar, type Tone } from "./parts.tsx";
export { SealPicture } from "./seal-picture.tsx";
export { VerdictBadge } from "./verdict.tsx";
export { Tabs } from "./tabs.tsx";
