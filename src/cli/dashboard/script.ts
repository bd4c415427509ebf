/*
 * What runs in the dashboard's page: the list of tasks, of which only the visible rows exist; the timeline, drawn for those
 * rows on one canvas; what is known of the task that was clicked. Plain JavaScript as browsers have it, sent as it is.
 */

import { FAMILIES } from '../families.ts';

export const SCRIPT = String.raw`
'use strict';
const ROW = 22, WINDOW = 60, OVERSCAN = 6, KEPT = 240;
const token = new URLSearchParams(location.search).get('token');
const $ = (id) => document.getElementById(id);
const el = (tag, cls, text) => { const e = document.createElement(tag); if (cls) e.className = cls; if (text !== undefined) e.textContent = text; return e; };

// ---- What is known ----
const tasks = new Map();
let waits = new Map(), circles = [], now = 0, offset = 0, running = null, stuck = null, order = [], depth = new Map(), place = new Map();
let chosen = null, stateFilter = null, textFilter = '', paused = false, dirtyOrder = true, dirty = true, pid = null, detailOf = null;

const FAMILY = ${JSON.stringify(FAMILIES)};
const family = (state) => FAMILY[state] || 'EVENT';
let palette = {};
function readPalette() {
  const style = getComputedStyle(document.documentElement);
  palette = {};
  for (const name of ['RUNNING', 'READY', 'TIME_SLEEP', 'TASK_JOIN', 'IO', 'LOCK', 'QUEUE', 'EVENT', 'PROMISE', 'SIGNAL', 'line', 'dim', 'ink', 'alarm', 'accent'])
    palette[name] = style.getPropertyValue('--' + name).trim();
  dirty = true;
}

function take(message) {
  now = message.time; offset = Date.now() / 1000 - now; running = message.running; stuck = message.stuck; pid = message.pid;
  if (message.full) {
    const kept = new Set(message.tasks.map((t) => t.id));
    for (const id of tasks.keys()) if (!kept.has(id)) tasks.delete(id);
    dirtyOrder = true;
  }
  for (const id of message.gone || []) { if (tasks.delete(id)) dirtyOrder = true; }
  for (const t of message.tasks) {
    const old = tasks.get(t.id);
    if (old === undefined) { t.history = [[now, t.state]]; t.turns = []; t.rate = 0; tasks.set(t.id, t); dirtyOrder = true; continue; }
    if (old.state !== t.state) { old.history.push([now, t.state]); if (old.history.length > KEPT) old.history.shift(); if (stateFilter) dirtyOrder = true; }
    const ran = t.cycles - old.cycles;
    if (ran > 0) { old.turns.push([old.seen || now - message.period, now, ran]); if (old.turns.length > KEPT) old.turns.shift(); }
    old.rate = ran / Math.max(message.period, 0.001);
    if (old.parentId !== t.parentId) dirtyOrder = true;
    Object.assign(old, t);
  }
  const changed = new Set(message.tasks.map((t) => t.id));
  for (const t of tasks.values()) { if (!changed.has(t.id)) t.rate = 0; t.seen = now; }
  if (message.waits) { waits = new Map(message.waits.map((w) => [w.id, w])); circles = message.circles || []; }
  dirty = true;
}

function arrange() {
  dirtyOrder = false;
  order = []; depth = new Map();
  const children = new Map();
  const matches = (t) => (!stateFilter || t.state === stateFilter) && (!textFilter || (t.id + ' ' + t.name + ' ' + (t.waitingOn || '')).toLowerCase().includes(textFilter));
  if (stateFilter || textFilter) {
    for (const t of tasks.values()) if (matches(t)) order.push(t.id);
    order.sort((a, b) => a - b);
  } else {
    for (const t of tasks.values()) {
      const parent = tasks.has(t.parentId) ? t.parentId : null;
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(t.id);
    }
    for (const list of children.values()) list.sort((a, b) => b - a);
    const open = (children.get(null) || []).map((id) => [id, 0]);
    while (open.length) {
      const [id, d] = open.pop();
      order.push(id); depth.set(id, d);
      for (const child of children.get(id) || []) open.push([child, d + 1]);
    }
  }
  place = new Map(order.map((id, n) => [id, n]));
}

// ---- The list ----
const scroll = $('scroll'), spacer = $('spacer'), canvas = $('timeline'), pool = [];
function row(n) {
  while (pool.length <= n) {
    const r = el('div', 'row');
    r.parts = ['id', 'name', 'state', 'rate', 'on'].map((cls) => { const c = el('div', cls); r.append(c); return c; });
    r.dot = el('span', 'dot'); r.label = el('span'); r.parts[2].append(r.dot, r.label);
    r.addEventListener('click', () => choose(r.task));
    spacer.append(r); pool.push(r);
  }
  return pool[n];
}

const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };

function render() {
  if (!dirty) return;
  dirty = false;
  if (dirtyOrder) arrange();
  spacer.style.height = order.length * ROW + 'px';
  $('empty').hidden = order.length > 0;
  const from = Math.max(0, Math.floor(scroll.scrollTop / ROW) - OVERSCAN);
  const to = Math.min(order.length, Math.ceil((scroll.scrollTop + scroll.clientHeight) / ROW) + OVERSCAN);
  for (let n = from; n < to; n++) {
    const t = tasks.get(order[n]), r = row(n - from);
    r.task = t.id; r.hidden = false;
    r.style.transform = 'translateY(' + n * ROW + 'px)';
    r.className = 'row' + (t.id === chosen ? ' chosen' : '') + (t.cancelled ? ' cancelled' : '') + (stuck && stuck.task === t.id ? ' stuck' : '');
    const [id, name, , rate, on] = r.parts;
    set(id, String(t.id)); set(name, t.name); name.style.paddingLeft = 7 + 14 * Math.min(depth.get(t.id) || 0, 20) + 'px'; name.title = t.name;
    r.dot.style.setProperty('--c', 'var(--' + family(t.state) + ')'); set(r.label, t.state);
    set(rate, t.rate ? (t.rate < 10 ? t.rate.toFixed(1) : Math.round(t.rate)) + '/s' : ''); set(on, t.waitingOn || t.operation || '');
  }
  for (let n = to - from; n < pool.length; n++) pool[n].hidden = true;
  draw(from, to);
  counts(); banner(); detail();
  set($('title'), tasks.size.toLocaleString('en') + ' task' + (tasks.size === 1 ? '' : 's') + (pid ? ', process ' + pid : ''));
}

// ---- The timeline ----
function draw(from, to) {
  $('head').style.paddingRight = scroll.offsetWidth - scroll.clientWidth + 'px';
  const head = $('when').getBoundingClientRect(), box = scroll.getBoundingClientRect(), ratio = devicePixelRatio || 1;
  const width = Math.max(10, head.width - 8), height = box.height;
  canvas.style.left = head.left - scroll.parentElement.getBoundingClientRect().left + 'px';
  canvas.style.top = box.top - scroll.parentElement.getBoundingClientRect().top + 'px';
  canvas.style.width = width + 'px'; canvas.style.height = height + 'px';
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); }
  const g = canvas.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0); g.clearRect(0, 0, width, height);
  const edge = 46, span = width - edge, end = paused ? now : Date.now() / 1000 - offset, x = (t) => edge + span * Math.max(0, Math.min(1, 1 - (end - t) / WINDOW));
  g.strokeStyle = palette.line; g.fillStyle = palette.dim; g.lineWidth = 1; g.font = '10px system-ui';
  for (let s = 0; s <= WINDOW; s += 10) { const at = Math.round(x(end - s)) + 0.5; g.beginPath(); g.moveTo(at, 0); g.lineTo(at, height); g.stroke(); }
  const y = (n) => n * ROW - scroll.scrollTop;
  for (let n = from; n < to; n++) {
    const t = tasks.get(order[n]), top = y(n) + 5, h = ROW - 10;
    for (let k = 0; k < t.history.length; k++) {
      const since = t.history[k][0], until = k + 1 < t.history.length ? t.history[k + 1][0] : end;
      if (until < end - WINDOW) continue;
      g.globalAlpha = 0.45; g.fillStyle = palette[family(t.history[k][1])];
      g.fillRect(x(since), top + 3, Math.max(1, x(until) - x(since)), h - 6);
    }
    g.fillStyle = palette.RUNNING;
    for (const [a, b, ran] of t.turns) {
      if (b < end - WINDOW) continue;
      g.globalAlpha = Math.min(1, 0.35 + Math.log10(1 + ran) / 3);
      g.fillRect(x(a), top, Math.max(2, x(b) - x(a)), h);
    }
    g.globalAlpha = 1;
  }
  // Who waits for whom, as arrows between the rows.
  const inCircle = new Set(circles.flat());
  for (let n = from; n < to; n++) {
    const w = waits.get(order[n]);
    if (!w) continue;
    for (const holder of w.holders.slice(0, 3)) {
      const m = place.get(holder.id);
      const y1 = y(n) + ROW / 2, y2 = m === undefined ? y1 : Math.max(-9, Math.min(height + 9, y(m) + ROW / 2));
      const bad = inCircle.has(w.id) && inCircle.has(holder.id);
      g.strokeStyle = g.fillStyle = bad ? palette.alarm : palette.accent; g.globalAlpha = bad ? 1 : 0.65; g.lineWidth = bad ? 2 : 1;
      const out = 6 + Math.min(34, 8 + Math.abs(y2 - y1) / 12);
      g.beginPath(); g.moveTo(edge - 4, y1); g.bezierCurveTo(edge - 4 - out, y1, edge - 4 - out, y2, edge - 9, y2); g.stroke();
      g.beginPath(); g.moveTo(edge - 3, y2); g.lineTo(edge - 10, y2 - 4); g.lineTo(edge - 10, y2 + 4); g.fill();
    }
  }
  g.globalAlpha = 1;
}

// ---- Head, banner, detail ----
const chips = new Map();
function counts() {
  const count = new Map();
  for (const t of tasks.values()) count.set(t.state, (count.get(t.state) || 0) + 1);
  for (const [state, chip] of chips) if (!count.has(state) && state !== stateFilter) { chip.remove(); chips.delete(state); }
  for (const [state, n] of [...count].sort((a, b) => b[1] - a[1])) {
    if (!chips.has(state)) {
      const chip = el('button'), dot = el('span', 'dot');
      dot.style.setProperty('--c', 'var(--' + family(state) + ')'); chip.label = el('span'); chip.append(dot, chip.label);
      chip.addEventListener('click', () => { stateFilter = stateFilter === state ? null : state; dirtyOrder = dirty = true; scroll.scrollTop = 0; });
      chips.set(state, chip); $('counts').append(chip);
    }
    set(chips.get(state).label, state + ' ' + n.toLocaleString('en'));
  }
  for (const [state, chip] of chips) chip.setAttribute('aria-pressed', String(state === stateFilter));
}

let lost = '';
function banner() {
  const name = (id) => (tasks.get(id) ? id + " '" + tasks.get(id).name + "'" : String(id));
  const lines = [];
  if (lost) lines.push(lost);
  if (stuck) lines.push('The kernel has not moved for ' + stuck.seconds.toFixed(1) + ' s: ' + (stuck.task ? 'task ' + name(stuck.task) + ' is running, and does not block.' : 'code outside any task is running.'));
  for (const c of circles) lines.push('Deadlock: ' + c.concat(c[0]).map(name).join(' → ') + (waits.get(c[0]) ? ' (' + c.map((id) => waits.get(id) && waits.get(id).on).join(', ') + ')' : ''));
  $('banner').hidden = lines.length === 0;
  set($('banner'), lines.join('\n'));
}

function choose(id) { chosen = id; set($('said'), ''); detailOf = null; dirty = true; stack(); render(); }

function link(id, name) {
  const a = el('a', 'task', id + ' ' + name);
  a.addEventListener('click', () => { choose(id); const n = place.get(id); if (n !== undefined) scroll.scrollTop = Math.max(0, n * ROW - scroll.clientHeight / 2); });
  return a;
}

function detail() {
  const t = tasks.get(chosen);
  $('one').hidden = !t;
  if (t) {
    set($('name'), t.id + ' ' + t.name);
    const w = waits.get(t.id);
    const facts = [['State', t.state + (t.operation ? ' in ' + t.operation : '')], ['Waits for', w && w.on ? w.on + (w.about ? ': ' + w.about : '') : t.waitingOn || '–'],
      ['Turns', t.cycles.toLocaleString('en')], ['Timeout', t.timeout === null ? '–' : t.timeout.toFixed(1) + ' s'], ['Spawned by', t.parentId === null ? '–' : t.parentId + (tasks.get(t.parentId) ? ' ' + tasks.get(t.parentId).name : ', ended')]];
    if (t.daemon) facts.push(['Daemon', 'yes']);
    const table = $('facts');
    while (table.rows.length < facts.length) { const r = table.insertRow(); r.insertCell(); r.insertCell(); }
    while (table.rows.length > facts.length) table.deleteRow(-1);
    facts.forEach(([k, v], n) => { set(table.rows[n].cells[0], k); set(table.rows[n].cells[1], v); });
    $('cancel').disabled = t.cancelled; set($('cancel'), t.cancelled ? 'Cancelled' : 'Cancel');
  } else if (chosen !== null && tasks.size) { chosen = null; }
  things();
}

let shownThings = '';
function things() {
  const by = new Map();
  for (const w of waits.values()) { if (!w.on) continue; if (!by.has(w.on)) by.set(w.on, []); by.get(w.on).push(w); }
  const list = [...by].sort((a, b) => b[1].length - a[1].length).slice(0, 40);
  const key = JSON.stringify([list.map(([on, ws]) => [on, ws[0].about, ws.length, ws.slice(0, 6).map((w) => w.id), ws[0].holders]), circles]);
  if (key === shownThings) return;
  shownThings = key;
  const inCircle = new Set(circles.flat());
  $('things').replaceChildren(...list.map(([on, ws]) => {
    const w = ws[0], box = el('div', 'thing' + (ws.some((it) => inCircle.has(it.id)) ? ' circle' : ''));
    box.append(el('b', '', on.startsWith('Task#') ? 'The end of ' + on : on));
    if (w.about) box.append(el('div', 'dim', w.about));
    if (w.holders.length) { const d = el('div', '', on.startsWith('Task') ? 'still runs: ' : 'held by '); w.holders.slice(0, 4).forEach((h, n) => d.append(n ? ', ' : '', h.ended ? h.id + ' ' + h.name + ' (ended)' : link(h.id, h.name))); if (w.holding > 4) d.append(' … ' + w.holding + ' in all'); box.append(d); }
    const d = el('div', '', ws.length + ' waiting: ');
    ws.slice(0, 6).forEach((it, n) => d.append(n ? ', ' : '', link(it.id, it.name)));
    if (ws.length > 6) d.append(', …');
    box.append(d);
    return box;
  }), ...(list.length ? [] : [el('div', 'dim', 'No task waits for a lock, a queue or another task.')]));
}

async function ask(path, options) {
  const response = await fetch(path, { ...options, headers: { 'x-curio-token': token } });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error || response.statusText);
  return body;
}

async function stack() {
  const id = chosen;
  if (id === null) return;
  set($('stack'), '…');
  try {
    const { text } = await ask('/where?id=' + id);
    if (chosen === id) set($('stack'), text);
  } catch (error) { if (chosen === id) set($('stack'), String(error.message)); }
}

$('again').addEventListener('click', stack);
$('cancel').addEventListener('click', async () => {
  $('cancel').disabled = true;
  try { set($('said'), (await ask('/cancel?id=' + chosen, { method: 'POST' })).text); } catch (error) { set($('said'), error.message); }
});
$('filter').addEventListener('input', () => { textFilter = $('filter').value.trim().toLowerCase(); dirtyOrder = dirty = true; scroll.scrollTop = 0; });
$('pause').addEventListener('click', () => { paused = !paused; set($('pause'), paused ? 'Go on' : 'Pause'); if (!paused) dirty = true; });
$('theme').addEventListener('click', () => {
  const dark = getComputedStyle(document.documentElement).colorScheme === 'dark' || (!document.documentElement.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'light' : 'dark'; readPalette();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', readPalette);
scroll.addEventListener('scroll', () => { dirty = true; render(); });
addEventListener('resize', () => { dirty = true; });
addEventListener('keydown', (event) => {
  if (event.target.tagName === 'INPUT' || (event.key !== 'ArrowDown' && event.key !== 'ArrowUp')) return;
  const n = (place.has(chosen) ? place.get(chosen) : -1) + (event.key === 'ArrowDown' ? 1 : -1);
  if (n < 0 || n >= order.length) return;
  event.preventDefault();
  if (n * ROW < scroll.scrollTop) scroll.scrollTop = n * ROW;
  if ((n + 1) * ROW > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = (n + 1) * ROW - scroll.clientHeight;
  choose(order[n]);
});

readPalette();
const events = new EventSource('/events?token=' + encodeURIComponent(token));
events.onmessage = (event) => {
  const message = JSON.parse(event.data);
  if (message.lost) { lost = message.lost; dirty = true; return; }
  lost = '';
  if (!paused) take(message);
};
events.onerror = () => { lost = 'The dashboard does not answer any more.'; dirty = true; };
// The timeline moves while nothing happens, too.
setInterval(() => { if (!paused) dirty = true; }, 250);
(function frame() { render(); requestAnimationFrame(frame); })();
`;
