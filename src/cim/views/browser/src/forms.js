// Sends the commands that people fill in: one way for every form of every view.

/** Take the `submit` of each form that names a command. */
export function takeForms(root) {
  root.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.command) return;
    event.preventDefault();
    send(form).catch(() => tell(form, "refused", "The connection broke off. Try again."));
  });
  // What was told of the last command says nothing of the next one.
  root.addEventListener("input", (event) => event.target.form && tell(event.target.form, "", ""));
}

/** The lines that a person changed, and those that the command cannot do without. */
export function filled(form) {
  const lines = Array.from(form.elements).filter((line) => line.name);
  const changed = lines.filter((line) => line.value !== line.defaultValue);
  const kept = lines.filter((line) => !("mayStay" in line.dataset) && !changed.includes(line));
  return { changed, lines: [...changed, ...kept] };
}

async function send(form) {
  const { changed, lines } = filled(form);
  if (!changed.length) {
    tell(form, "refused", "Nothing was changed.");
    return;
  }
  const body = new FormData();
  body.append(form.dataset.key, form.dataset.id);
  for (const line of lines) body.append(line.name, line.value);
  tell(form, "sending", "Sending");
  // The same words sent again, after a link that broke, are the same command.
  const id = (form.dataset.sending ??= crypto.randomUUID());
  const headers = { "cim-id": id };
  const answer = await fetch(`/commands/${form.dataset.command}`, { method: "POST", body, headers });
  delete form.dataset.sending;
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) {
    form.reset();
    tell(form, "done", "Done.");
  } else {
    tell(form, "refused", told.rejected?.reason ?? told.error ?? `The machine answered ${answer.status}.`);
  }
}

function tell(form, state, words) {
  if (state === "" || state === "done") delete form.dataset.sending;
  const output = form.querySelector("output");
  output.dataset.state = state;
  output.textContent = words;
}
