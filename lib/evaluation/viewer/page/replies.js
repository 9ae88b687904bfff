// What the kernel sends: one method for each message, named after its `do`; errors go to `failed_…` where there is one.
import { LabelReplies } from "./label_replies.js";
import { PictureReplies } from "./picture_replies.js";
import { addItems, compared } from "./sets.js";

export class Replies {
  constructor(view) {
    this.view = view;
    this.parts = [this, new PictureReplies(view), new LabelReplies(view)];
  }

  handle(message, buffers) {
    const { view } = this;
    if (message.view && message.view !== view.id) return;
    const find = (name) => this.parts.find((part) => part[name]), failed = `failed_${message.do}`;
    if (message.error && find(failed)) find(failed)[failed](message);
    else if (message.error) view.notify(message.error);
    else if (message.do === "open" || view.about) find(message.do)?.[message.do](message, buffers ?? []);
  }

  open(message) { this.view.opened(message); }

  failed_open(message) { this.view.stage.message.textContent = message.error; }

  whole_table(message) { addItems(this.view, message.items); }

  compare(message) { compared(this.view, message.run, message.answers); }
}
