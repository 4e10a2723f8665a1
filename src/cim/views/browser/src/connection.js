// Holds the one connection to the leaf's NATS server. The library's own reconnecting is off, so that
// there is one way only: connect, use, lose, perhaps renew the session, connect.
import { AuthorizationError, UserAuthenticationExpiredError, wsconnect } from "@nats-io/nats-core";

const FIRST_WAIT = 100;
const LONGEST_WAIT = 2000;
const RELOAD_AFTER = 30_000;

export const delay = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Never returns. `use(connection)` is called for each new one, `told(state)` with what to show. Each node of the
 * leaf has a port in `websockets`: after one that was lost the next one is tried.
 */
export async function stayConnected({ websockets, inbox }, { use, told }) {
  let wait = FIRST_WAIT;
  for (let node = 0; ; node = (node + 1) % websockets.length) {
    const { cause, served } = await once(websockets[node], websockets.length > 1, inbox, use);
    wait = served ? FIRST_WAIT : Math.min(wait * 2, LONGEST_WAIT);
    // A token that ran out is renewed within a moment: no reason to alarm anyone.
    told(refused(cause) ? "stale" : "lost");
    if (refused(cause)) await renewSession(told);
    await delay(wait);
  }
}

/** One connection from its start to its end: why it ended, and whether it was of use. */
async function once(port, others, inbox, use) {
  let served = false;
  try {
    const connection = await wsconnect({
      servers: `ws://${location.hostname}:${port}`,
      inboxPrefix: inbox,
      reconnect: false,
      timeout: 5000,
      // Where there is another node to go to, one that stands still is left soon.
      pingInterval: others ? 2000 : 10_000,
      maxPingOut: 2,
      name: "page",
    });
    const cause = connection.closed();
    use(connection).then((exact) => (served = exact), (error) => console.error(error));
    return { cause: await cause, served };
  } catch (error) {
    return { cause: error, served };
  }
}

function refused(cause) {
  const kinds = [AuthorizationError, UserAuthenticationExpiredError];
  return kinds.some((kind) => cause instanceof kind || cause?.cause instanceof kind);
}

/** A new token in the cookie; when the leaf knows the session no more, the page begins anew. */
async function renewSession(told) {
  try {
    const answer = await fetch("/session", { method: "POST" });
    if (answer.status >= 400 && answer.status < 500) {
      told("ended");
      loadAnew();
    }
  } catch {
    // The leaf is away: the next attempt finds out.
  }
}

/** A browser that keeps no cookies would load the page for ever: once in a while is enough. */
function loadAnew() {
  const before = Number(sessionStorage.getItem("loaded-anew") ?? 0);
  if (Date.now() - before < RELOAD_AFTER) return;
  sessionStorage.setItem("loaded-anew", String(Date.now()));
  location.reload();
}
