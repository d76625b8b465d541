/** How the page of `rclone-du --html` looks; colours have enough contrast in light and in dark. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --text: #14202b; --back: #ffffff; --line: #5c6b78; --soft: #eef2f5;
  --current: #b9d8f6; --deleted: #f9cf9b; --hatch: #edb468; --focus: #b3005e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #f1f4f6; --back: #14191d; --line: #93a1ad; --soft: #222a31;
    --current: #1c4d7d; --deleted: #7a4508; --hatch: #94570f; --focus: #ff8ac4;
  }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 0.75rem 1rem; font: 15px/1.4 system-ui, sans-serif; color: var(--text); background: var(--back); }
h1 { font-size: 1.2rem; margin: 0; overflow-wrap: anywhere; }
p { margin: 0.2rem 0; }
button { font: inherit; color: inherit; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem; margin: 0.4rem 0; }
nav button, td button { border: 1px solid transparent; background: none; padding: 0 0.25rem; text-decoration: underline; cursor: pointer; text-align: left; overflow-wrap: anywhere; }
nav [aria-current] { padding: 0 0.25rem; font-weight: 600; overflow-wrap: anywhere; }
fieldset { border: 0; margin: 0 0 0.4rem; padding: 0; display: flex; flex-wrap: wrap; gap: 0.3rem 1rem; }
fieldset[hidden] { display: none; }
legend { float: left; padding: 0; margin-right: 1rem; }
.key { display: inline-block; width: 1em; height: 1em; vertical-align: -0.15em; border: 1px solid var(--line); }
.current { background: var(--current); }
.deleted { background: repeating-linear-gradient(45deg, var(--deleted) 0 6px, var(--hatch) 6px 9px); }
#map { position: relative; height: 62vh; min-height: 260px; border: 1px solid var(--line); overflow: hidden; background: var(--soft); }
.tile { position: absolute; overflow: hidden; margin: 0; padding: 0; border: 1px solid var(--back); background: var(--current); border-radius: 2px; text-align: left; display: block; }
button.tile { cursor: pointer; }
button.tile:hover { outline: 2px solid var(--line); outline-offset: -2px; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: -3px; }
nav button:focus-visible, td button:focus-visible { outline-offset: 1px; }
.tile .old { position: absolute; top: 0; bottom: 0; right: 0; }
.tile .inside { position: absolute; inset: 24px 3px 3px 3px; }
.tile .inside .tile { border-color: var(--back); }
.label { position: absolute; top: 1px; left: 4px; right: 4px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; pointer-events: none; }
.label small { opacity: 0.85; }
.rest { border-style: dashed; border-color: var(--line); }
table { border-collapse: collapse; margin-top: 0.8rem; width: 100%; }
caption { text-align: left; font-weight: 600; }
th, td { text-align: right; padding: 0.1rem 0.4rem; border-bottom: 1px solid var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
@media (max-width: 600px) { th:nth-child(4), td:nth-child(4), th:nth-child(5), td:nth-child(5) { display: none; } }
footer { margin-top: 0.8rem; font-size: 0.85rem; }
`;
