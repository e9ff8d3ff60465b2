// Where the studio begins.

import { render } from "preact";
import { App } from "./app.tsx";
import { start } from "./state/session.ts";
import "./state/look.ts";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/shell.css";

const root = document.getElementById("studio");
if (root) render(<App />, root);
void start();
