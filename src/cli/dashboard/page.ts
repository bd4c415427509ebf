/*
 * The dashboard's page: one document, with its style and its script in it.
 */

import { SCRIPT } from './script.ts';
import { STYLE } from './style.ts';

/** @param nonce what allows this script and this style, and no others */
export function page(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Curio</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<header>
<h1>Curio</h1><span class="dim" id="title"></span>
<div id="counts"></div>
<input id="filter" type="search" placeholder="Name or number" aria-label="Filter">
<button id="pause">Pause</button><button id="theme">Theme</button>
</header>
<div id="banner" role="alert" hidden></div>
<main>
<div class="head" id="head"><span>Task</span><span>Name</span><span>State</span><span>Turns</span><span>Waits for</span><span id="when">The last minute: turns (green), waits by colour</span></div>
<div id="scroll" tabindex="0"><div id="spacer"></div><div id="empty" class="empty">No tasks.</div></div>
<canvas id="timeline"></canvas>
</main>
<aside>
<section id="one" hidden>
<h2 id="name"></h2>
<table id="facts"></table>
<h2>Stack</h2>
<pre id="stack"></pre>
<button id="again">Look again</button> <button id="cancel" class="danger">Cancel</button>
</section>
<div id="said" role="status"></div>
<h2>Locks, queues and other things waited for</h2>
<div id="things"></div>
</aside>
<script nonce="${nonce}">${SCRIPT}</script>
</body>
</html>
`;
}
