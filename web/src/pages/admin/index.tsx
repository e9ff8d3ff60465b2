// Admin: how the service is, who has keys, and how much each tenant may.

import type { JSX } from "preact";
import { go, place } from "../../router.ts";
import { PageHead, Tabs } from "../../ui/index.ts";
import { words } from "../../words/index.ts";
import "./admin.css";
import { Keys } from "./keys.tsx";
import { StatusBoard } from "./status.tsx";
import { Tenants } from "./tenants.tsx";

const PARTS = { status: StatusBoard, keys: Keys, tenants: Tenants };
type Part = keyof typeof PARTS;

export function AdminPage(): JSX.Element {
  const text = words.value.admin;
  const [first = "status"] = place.value.rest;
  const part: Part = first in PARTS ? (first as Part) : "status";
  const Shown = PARTS[part];
  return (
    <>
      <PageHead title={text.title} lead={text.lead} />
      <Tabs<Part>
        label={text.title}
        value={part}
        tabs={(Object.keys(PARTS) as Part[]).map((value) => ({ value, text: text.tabs[value] }))}
        onChange={(value) => go("admin", [value], {}, true)}
      >
        <Shown key={part} />
      </Tabs>
    </>
  );
}
