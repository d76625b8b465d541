// Notices need the same, and lie below this layer.
export { escapeLines, escapeText } from "../units/escape.ts";
