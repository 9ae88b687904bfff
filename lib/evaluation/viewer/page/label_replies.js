// What the kernel says about labels: revisions of others, and what became of an edit.

export class LabelReplies {
  constructor(view) {
    this.view = view;
  }

  updates(message) {
    for (const revision of message.revisions) this.view.drafts.met(revision);
    this.view.learn(message);
    this.view.show();
    if (message.revisions.some((each) => each.source === this.view.list.item?.source)) this.view.pictures.rectify();
  }

  history(message) {
    if (message.at === this.view.list.at) this.view.side.showPast(message.revisions);
  }

  saved(message) {
    const { view } = this;
    view.offline = "";
    view.drafts.saved(message);
    view.show();
    view.strip.draw();
    const at = view.items.findIndex((item) => item.source === message.source);
    if (at === view.list.at) view.say({ do: "history", at });
    if (view.drafts.isUnsaved(at)) view.timers.after("autosave", 1000 * view.about.autosave, () => { view.drafts.save(at); view.show(); });
  }

  waiting(message) {
    const draft = this.draft(message);
    if (draft) draft.waiting = message.text;
    this.view.show();
  }

  conflict(message) {
    this.view.labels.add(message.revision);
    const draft = this.draft(message);
    if (draft) Object.assign(draft, { conflict: message.revision, waiting: "" });
    this.view.show();
    this.view.strip.draw();
  }

  refused(message) {
    this.view.drafts.failed(message);
    this.view.show();
    this.view.notify(message.text);
  }

  failed_save(message) { this.refused({ edit: message.edit, text: message.error }); }

  // The draft of an edit; one of an earlier visit of this reviewer is taken up again.
  draft({ edit, change }) {
    return this.view.drafts.ofEdit(edit)[1] ?? this.view.drafts.resume(edit, change);
  }
}
