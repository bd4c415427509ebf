/*
 * How the dashboard's page looks, in light and in dark.
 */

export const STYLE = `
:root { color-scheme: light dark;
  --ground: #fbfbfa; --panel: #ffffff; --line: #e2e1dd; --ink: #1d1d1b; --dim: #6d6b66; --hover: #f1f0ec; --chosen: #e4ecf9;
  --accent: #2557b8; --alarm: #b3261e; --alarm-ground: #fdecea;
  --RUNNING: #1a8a3a; --READY: #2f6fdb; --TIME_SLEEP: #9a9891; --TASK_JOIN: #8250c4; --IO: #0f8a8a; --LOCK: #c75a00;
  --QUEUE: #a98200; --EVENT: #c2347f; --PROMISE: #8a6a4a; --SIGNAL: #4b7f95; }
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) {
  --ground: #161615; --panel: #1e1e1c; --line: #34332f; --ink: #e9e7e1; --dim: #9d9a92; --hover: #282724; --chosen: #23324d;
  --accent: #8ab4ff; --alarm: #ff9389; --alarm-ground: #3b1d1b;
  --RUNNING: #4cc46d; --READY: #6ea2ff; --TIME_SLEEP: #75736c; --TASK_JOIN: #b58bf0; --IO: #3fc2c2; --LOCK: #ff9a4d;
  --QUEUE: #e0b93a; --EVENT: #f277b5; --PROMISE: #c9a27c; --SIGNAL: #83bcd4; } }
:root[data-theme=dark] { color-scheme: dark;
  --ground: #161615; --panel: #1e1e1c; --line: #34332f; --ink: #e9e7e1; --dim: #9d9a92; --hover: #282724; --chosen: #23324d;
  --accent: #8ab4ff; --alarm: #ff9389; --alarm-ground: #3b1d1b;
  --RUNNING: #4cc46d; --READY: #6ea2ff; --TIME_SLEEP: #75736c; --TASK_JOIN: #b58bf0; --IO: #3fc2c2; --LOCK: #ff9a4d;
  --QUEUE: #e0b93a; --EVENT: #f277b5; --PROMISE: #c9a27c; --SIGNAL: #83bcd4; }
:root[data-theme=light] { color-scheme: light; }
* { box-sizing: border-box; }
html, body { height: 100%; margin: 0; }
body { display: grid; grid-template: auto auto 1fr / 1fr 360px; background: var(--ground); color: var(--ink);
  font: 13px/1.4 system-ui, sans-serif; }
button, input { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 5px; padding: 3px 9px; }
button { cursor: pointer; } button:hover { background: var(--hover); } button:disabled { opacity: .5; cursor: default; }
button.danger { color: var(--alarm); border-color: var(--alarm); }
header { grid-column: 1 / 3; display: flex; gap: 10px; align-items: center; padding: 8px 14px; border-bottom: 1px solid var(--line);
  background: var(--panel); }
header h1 { font-size: 15px; margin: 0; } header .dim { color: var(--dim); } #title { white-space: nowrap; } header > button { white-space: nowrap; }
#counts { display: flex; gap: 6px; flex-wrap: wrap; flex: 1; min-width: 0; } #filter { width: 190px; }
#counts button { display: flex; gap: 5px; align-items: center; padding: 1px 8px; border-radius: 99px; font-size: 12px; }
#counts button[aria-pressed=true] { border-color: var(--accent); background: var(--chosen); }
.dot { width: 8px; height: 8px; border-radius: 50%; background: var(--c, var(--dim)); display: inline-block; flex: none; }
#banner { grid-column: 1 / 3; padding: 7px 14px; background: var(--alarm-ground); color: var(--alarm); border-bottom: 1px solid var(--line);
  white-space: pre-wrap; } #banner[hidden] { display: none; }
main { position: relative; min-width: 0; min-height: 0; display: grid; grid-template-rows: auto 1fr; }
.head, .row { display: grid; grid-template-columns: 74px minmax(130px, 1fr) 132px 62px minmax(90px, 170px) 40%; align-items: center; }
.head { color: var(--dim); border-bottom: 1px solid var(--line); font-size: 12px; height: 26px; }
.head > *, .row > * { padding: 0 7px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#scroll { position: relative; overflow-y: scroll; overflow-x: hidden; min-height: 0; outline: none; }
.row[hidden] { display: none; }
.row { position: absolute; left: 0; right: 0; height: 22px; cursor: pointer; }
.row:hover { background: var(--hover); } .row.chosen { background: var(--chosen); }
.row .id, .row .rate { text-align: right; color: var(--dim); font-variant-numeric: tabular-nums; }
.row .state { display: flex; gap: 6px; align-items: center; font-size: 12px; }
.row .on { color: var(--dim); font-size: 12px; } .row.cancelled .name { text-decoration: line-through; } .row.stuck .name { color: var(--alarm); font-weight: 600; }
#timeline { position: absolute; pointer-events: none; }
aside { border-left: 1px solid var(--line); background: var(--panel); overflow: auto; padding: 12px 14px; min-height: 0; }
aside h2 { font-size: 13px; margin: 14px 0 6px; } aside h2:first-child { margin-top: 0; }
aside table { border-collapse: collapse; width: 100%; } aside td { padding: 1px 8px 1px 0; vertical-align: top; } aside td:first-child { color: var(--dim); }
pre { background: var(--ground); border: 1px solid var(--line); border-radius: 5px; padding: 8px; overflow: auto; max-height: 40vh; font: 12px/1.45 ui-monospace, monospace; margin: 4px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.thing { border: 1px solid var(--line); border-radius: 5px; padding: 6px 8px; margin: 5px 0; } .thing.circle { border-color: var(--alarm); background: var(--alarm-ground); }
.thing b { font-weight: 600; } .thing .dim { color: var(--dim); } a.task { color: var(--accent); cursor: pointer; text-decoration: none; } a.task:hover { text-decoration: underline; }
.empty { color: var(--dim); padding: 20px; }
@media (max-width: 900px) { body { grid-template: auto auto 1fr 38% / 1fr; } header, #banner { grid-column: 1; } aside { border-left: 0; border-top: 1px solid var(--line); }
  .head, .row { grid-template-columns: 56px minmax(90px, 1fr) 118px 0 0 40%; } .head > :nth-child(4), .head > :nth-child(5), .rate, .on { visibility: hidden; } }
`;
