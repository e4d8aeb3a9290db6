// Keeps the page true: fetches it again every few seconds and takes over its title and its main part. It also does so
// in a hidden tab, whose title would otherwise go on saying READY.
const EVERY_MS = 5_000;
const ANSWER_WITHIN_MS = 10_000;
/** For so long a page is left as it is while somebody marks text in it. */
const MARKING_MS = 30_000;

let takenMs = Date.now();

const isMarking = () => getSelection()?.isCollapsed === false && Date.now() - takenMs < MARKING_MS;

async function refresh() {
  const response = await fetch(location.href, {
    headers: { accept: 'text/html' },
    cache: 'no-store',
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  const next = new DOMParser().parseFromString(await response.text(), 'text/html');
  const main = next.querySelector('main');
  // The session is over: the login page takes the place of this one.
  if (main?.id === 'login') return location.assign(response.url);
  if (!main) throw new Error(`the dashboard answers ${response.status}`);
  document.title = next.title;
  document.querySelector('main')?.replaceWith(main);
  takenMs = Date.now();
}

function showConnection(trouble) {
  const line = document.getElementById('connection');
  line.hidden = trouble === undefined;
  line.textContent = trouble ?? '';
  document.body.classList.toggle('outdated', trouble !== undefined);
}

async function tick() {
  if (!isMarking()) {
    try {
      await refresh();
      showConnection(undefined);
    } catch {
      const at = new Date(takenMs).toLocaleTimeString();
      document.title = 'No answer · vm-sync';
      showConnection(`The dashboard does not answer. What stands below is from ${at}.`);
    }
  }
  setTimeout(tick, EVERY_MS);
}

setTimeout(tick, EVERY_MS);
