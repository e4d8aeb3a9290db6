// Keeps the page true: asks for it again every second and takes over its title and what has changed of its main part;
// what has not changed stays in place, with its focus, its marked text and its opened details. It also does so in a hidden
// tab, whose title would otherwise go on saying READY.
const EVERY_MS = 750;
const ANSWER_WITHIN_MS = 10_000;

/** Of the version that is shown; none fits what the page came with. */
const NONE = '"none"';
let etag = NONE;
/** By the dashboard's clock, when that was last known to be true. */
let trueAt = new Date().toUTCString();

async function refresh() {
  const response = await fetch(location.href, {
    // With a cache-control of its own, the browser does not ask for a fresh copy whatever the ETag.
    headers: { accept: 'text/html', 'if-none-match': etag, 'cache-control': 'max-age=0' },
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  if (response.redirected) return location.assign(response.url);
  if (response.status !== 304) takeOver(await response.text(), response);
  trueAt = response.headers.get('date') ?? trueAt;
  countAges(Date.parse(trueAt));
}

function takeOver(text, { status, headers }) {
  const next = new DOMParser().parseFromString(text, 'text/html');
  const main = next.querySelector('main');
  if (!main) throw new Error(`the dashboard answers ${status}`);
  if (document.title !== next.title) document.getElementById('spoken').textContent = next.title;
  document.title = next.title;
  become(document.querySelector('main'), main);
  etag = headers.get('etag') ?? NONE;
}

/** What a person changes by hand is not taken back. */
const THEIRS = new Set(['open', 'value', 'checked', 'selected']);

const keyOf = (node) => node.id || node.dataset?.key || '';

const isSame = (a, b) => a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

/** Makes an element like another one by the fewest changes. */
function become(here, wanted) {
  if (here.isEqualNode(wanted) || here.hasAttribute('data-keep')) return;
  const isTheirs = (name) => THEIRS.has(name) && here.nodeName !== 'PROGRESS';
  for (const { name } of [...here.attributes]) {
    if (!wanted.hasAttribute(name) && !isTheirs(name)) here.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (here.getAttribute(name) !== value && !isTheirs(name)) here.setAttribute(name, value);
  }
  const coming = [...wanted.childNodes];
  const keys = new Set(coming.map(keyOf));
  let at = here.firstChild;
  for (const child of coming) {
    // What is keyed and does not come any more goes first, so that what follows it stays where it is.
    while (at && keyOf(at) && !keys.has(keyOf(at))) at = without(at);
    if (at && isSame(at, child)) {
      if (at.nodeType === Node.ELEMENT_NODE) become(at, child);
      else if (at.nodeValue !== child.nodeValue) at.nodeValue = child.nodeValue;
      at = at.nextSibling;
    } else if (at && keyOf(child) === '' && keyOf(at) === '') {
      at = without(at);
      here.insertBefore(child, at);
    } else {
      // New, or from further down: that one goes when its turn comes.
      if (keyOf(child)) [...here.children].find((one) => isSame(one, child))?.remove();
      here.insertBefore(child, at);
    }
  }
  while (at) at = without(at);
}

function without(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];

/** `2m 10s`, as the dashboard itself writes it. */
function durationText(seconds) {
  let rest = seconds;
  const parts = [];
  for (const [unit, length] of UNITS) {
    const amount = Math.floor(rest / length);
    rest -= amount * length;
    if (amount > 0) parts.push(`${amount}${unit}`);
  }
  return parts.slice(0, 2).join(' ');
}

function countAges(nowMs) {
  for (const time of document.querySelectorAll('time[data-age]')) {
    const seconds = Math.floor((nowMs - Date.parse(time.dateTime)) / 1e3);
    const text = seconds < 1 ? 'just now' : `${durationText(seconds)} ${time.dataset.age}`;
    if (time.textContent !== text) time.textContent = text;
  }
}

function showConnection(trouble) {
  const line = document.getElementById('connection');
  if (line.hidden === (trouble === undefined)) return;
  line.hidden = trouble === undefined;
  line.textContent = trouble ?? '';
  document.body.classList.toggle('outdated', trouble !== undefined);
}

async function tick() {
  try {
    await refresh();
    showConnection(undefined);
  } catch {
    etag = NONE;
    document.title = 'No answer · vm-sync';
    showConnection(`The dashboard does not answer. What stands below is from ${trueAt}.`);
  }
  setTimeout(tick, EVERY_MS);
}

setTimeout(tick, EVERY_MS);
