// Two futures from here: the reader chooses one change, Python executes the run twice more, and the
// film of both comes back in this place. Without a kernel there is no button for it.
Object.assign(Player.prototype, {
  canFork() { return Boolean(this.kernel?.forks.changes && !this.film.fork); },
  isForked() { return this.kernel?.forks.back !== undefined; },

  buildFork() {
    this.forkBox = make("div", "ki-help ki-fork-box", null,
                        { role: "dialog", "aria-label": "Fork", tabindex: -1,
                          "data-lm-suppress-shortcuts": true });
    this.forkBox.hidden = true;
    if (!this.canFork()) return this.forkBox;
    const { changes, longer } = this.kernel.forks, choices = make("div", "ki-fork-choices");
    this.changeBox = this.choice("What changes here", changes, () => {});
    this.changeBox.value = (changes[1] ?? changes[0])[0];
    this.longerBox = this.choice("How long both go on", longer, () => {});
    this.longerBox.value = longer.at(-2)[0];
    for (const [word, box] of [["Change", this.changeBox], ["Then play", this.longerBox]]) {
      const label = make("label", "", word);
      label.append(box);
      choices.append(label);
    }
    const row = make("div", "ki-foot-row");
    this.forkGo = button("ki-open", "", () => this.sendFork(), "See both futures");
    row.append(this.forkGo, button("ki-quiet", "", () => this.fork(false), "Close"));
    this.forkHead = make("div");
    this.forkSays = make("p", "ki-hint", "", { role: "status" });
    this.forkBox.append(this.forkHead, choices, this.forkSays, row);
    return this.forkBox;
  },

  fork(on = this.forkBox.hidden) {
    if (this.isForked()) return this.kernel.send({ back: this.kernel.forks.back });
    if (!this.canFork() || on === !this.forkBox.hidden) return;
    if (this.playing) this.play(false);
    this.help(false);
    this.forkBox.hidden = !on;
    if (!on) return this.root.focus();
    const gone = Boolean(this.root.closest(".ki-kernel-gone"));
    const frame = this.reel.frames[this.cursor];
    this.forkHead.replaceChildren(heading(`Fork at ${clock(frame.t_us)}`,
                                          `step ${this.cursor + 1}`));
    this.forkGo.disabled = gone;
    this.forkSays.textContent = gone ? "Its kernel is gone: run the cell again to fork."
      : "Both futures get everything that was commanded later.";
    (gone ? this.forkBox.querySelector(".ki-quiet") : this.changeBox).focus();
  },

  sendFork() {
    this.forkBox.focus();                              // a button that is off loses the keyboard
    this.forkGo.disabled = true;
    this.forkSays.textContent = "The kernel runs both futures …";
    this.kernel.send({ event: this.reel.frames[this.cursor].event, change: this.changeBox.value,
                       longer_ms: Number(this.longerBox.value) });
  },

  // What was refused, in the engine's words; the reader may choose anew.
  refused(text) {
    if (!this.canFork()) return;
    this.forkGo.disabled = false;
    this.forkSays.textContent = plain(text);
    this.forkGo.focus();
  },
});
