// One live query: subscribe, take a snapshot, then apply changes; again whenever that is in doubt.
import { delay } from "./connection.js";

const FIRST_WAIT = 100;
const LONGEST_WAIT = 2000;
const ANSWER_WITHIN = 5000;

export class LiveQuery {
  /** `first()` is what is asked for ({} or an id), or null when nothing is asked for just now;
   *  `refused(reason)` is told what the leaf says when it does not give it. */
  constructor({ query, session, rows, first, refused, accepts = () => true }) {
    this.subject = `qry.${query}.${session}`;
    this.feed = `live.${query.slice(query.indexOf(".") + 1)}.${session}`;
    this.attempt = 0;
    Object.assign(this, { rows, first, refused, accepts });
  }

  /** Use a new connection: what was under way on the old one is given up. */
  attach(connection) {
    this.connection = connection;
    connection.subscribe(this.feed, {
      callback: (error, message) => {
        if (error) return;
        const changes = message.json().changes.filter((change) => this.accepts(change.id));
        if (changes.length) this.rows.changes(changes);
      },
    });
    return this.resynchronise();
  }

  /** Ask until the leaf answers: it comes back after the socket. True once the rows are exact. */
  async resynchronise() {
    const attempt = ++this.attempt;
    const { connection } = this;
    for (let wait = FIRST_WAIT; this.current(attempt, connection); wait = Math.min(wait * 2, LONGEST_WAIT)) {
      try {
        if (await this.snapshot(attempt, connection)) return true;
      } catch {
        await delay(wait);
      }
    }
    return false;
  }

  current(attempt, connection) {
    return attempt === this.attempt && connection !== undefined && !connection.isClosed();
  }

  async snapshot(attempt, connection) {
    const body = this.first();
    this.rows.begin();
    for (let after = null; body !== null; ) {
      const page = await this.ask({ ...body, after }, connection);
      if (!this.current(attempt, connection)) return false;
      this.rows.snapshot(page.rows);
      after = page.after ?? null;
      if (after === null) break;
    }
    this.rows.complete();
    return true;
  }

  /** Keep the query alive; false when the leaf does not know it any more or does not answer. */
  async renew() {
    const body = this.first();
    if (body === null) return true;
    try {
      return (await this.ask({ ...body, lease: true }, this.connection)).known === true;
    } catch {
      return false;
    }
  }

  async ask(body, connection) {
    const reply = (await connection.request(this.subject, JSON.stringify(body), { timeout: ANSWER_WITHIN })).json();
    if (reply.error) {
      this.refused(reply.error);
      throw new Error(reply.error);
    }
    return reply;
  }
}
