/** How the page of `rclone-backups status --html` looks; colours have enough contrast in light and in dark. */
export const statusStyle = `
:root {
  color-scheme: light dark;
  --text: #14202b; --back: #ffffff; --line: #5c6b78; --soft: #eef2f5; --edge: #d5dde3;
  --good: #1a6b34; --mild: #7a5200; --bad: #a8140f;
  --size: #2f6fb0; --fill: #b9d8f6; --time: #6a7f8f;
  --v1: #14602c; --v7: #2f8a49; --v30: #74b585; --v90: #bfe0c8; --old: #f2cf8f; --never: #d9534c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #f1f4f6; --back: #14191d; --line: #93a1ad; --soft: #1d242a; --edge: #35414b;
    --good: #7fd698; --mild: #f0c060; --bad: #ff9a92;
    --size: #6fb1ee; --fill: #1c4d7d; --time: #8ea2b1;
    --v1: #a5e8b6; --v7: #5fbe79; --v30: #3a8a52; --v90: #235c35; --old: #8f6417; --never: #c04a43;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 0.75rem 1rem; font: 15px/1.4 system-ui, sans-serif; color: var(--text); background: var(--back); }
h1 { font-size: 1.3rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; display: flex; gap: 0.6rem; align-items: baseline; justify-content: space-between; }
p { margin: 0.3rem 0; overflow-wrap: anywhere; }
a { color: inherit; }
.state { font-weight: 600; font-size: 0.9rem; white-space: nowrap; }
.state::before { content: "● "; }
.good { color: var(--good); } .mild { color: var(--mild); } .bad { color: var(--bad); }
.scroll { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; }
th, td { text-align: left; padding: 0.2rem 0.5rem; border-bottom: 1px solid var(--edge); font-variant-numeric: tabular-nums; white-space: nowrap; }
th { font-size: 0.85rem; color: var(--line); font-weight: 600; }
th[scope=row] { font-size: 1rem; color: inherit; white-space: normal; overflow-wrap: anywhere; }
.num { text-align: right; }
main { display: grid; align-items: start; gap: 0.8rem; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); }
article { border: 1px solid var(--edge); border-radius: 6px; padding: 0.6rem 0.8rem; background: var(--soft); content-visibility: auto; contain-intrinsic-size: auto 26rem; min-width: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 0.7rem; margin: 0.4rem 0; font-size: 0.92rem; }
dt { color: var(--line); } dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
ul { margin: 0.4rem 0; padding: 0; list-style: none; font-size: 0.92rem; }
li { border-left: 3px solid var(--edge); padding: 0.1rem 0 0.1rem 0.6rem; margin: 0.35rem 0; overflow-wrap: anywhere; white-space: pre-line; }
article.bad > ul > li { border-color: var(--bad); } article.mild > ul > li { border-color: var(--mild); }
article.bad, article.mild, article.good { color: var(--text); }
li small { display: block; font-size: 0.95em; color: var(--line); }
figure { margin: 0.5rem 0 0; }
figcaption { font-size: 0.85rem; display: flex; justify-content: space-between; gap: 0.6rem; }
figcaption span { color: var(--line); }
svg { display: block; width: 100%; height: 3.6rem; background: var(--back); border-bottom: 1px solid var(--line); }
svg.share { height: 1rem; border: 0; }
.area { fill: var(--fill); } .stroke { fill: none; stroke: var(--size); stroke-width: 2; vector-effect: non-scaling-stroke; }
.bar { fill: var(--time); } .bar.failed { fill: var(--never); }
.hit { fill: transparent; } .hit:hover { fill: var(--line); fill-opacity: 0.25; }
.cross { stroke: var(--never); stroke-width: 2; vector-effect: non-scaling-stroke; }
.v1 { fill: var(--v1); background: var(--v1); } .v7 { fill: var(--v7); background: var(--v7); } .v30 { fill: var(--v30); background: var(--v30); }
.v90 { fill: var(--v90); background: var(--v90); } .old { fill: var(--old); background: var(--old); } .never { fill: var(--never); background: var(--never); }
.legend { display: flex; flex-wrap: wrap; gap: 0.1rem 0.8rem; font-size: 0.85rem; margin: 0.2rem 0 0; }
.key { display: inline-block; width: 0.8em; height: 0.8em; border: 1px solid var(--line); }
footer { margin-top: 0.8rem; font-size: 0.85rem; color: var(--line); }
`;
