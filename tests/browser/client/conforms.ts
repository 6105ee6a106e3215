// Holds the code of the client library to what index.d.ts promises: read by the type checker, never run.

import type * as declared from "../../../src/web/client/index.js";
import { every } from "../../../src/web/client/calls.js";
import { TalkError } from "../../../src/web/client/error.js";
import { Talk } from "../../../src/web/client/talk.js";

const surface: Pick<typeof declared, "every" | "TalkError"> = { every, TalkError };
const talk: new (options?: declared.Options) => declared.Talk = Talk;
const withToken: (token: string, options?: declared.Options) => declared.Talk = Talk.withToken;
void [surface, talk, withToken];
