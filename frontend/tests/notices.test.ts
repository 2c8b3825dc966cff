/** What is said when something was not done. */
import { expect, test } from "vitest";
import { ApiError, OfflineError } from "../src/api/errors";
import { notices, tellFailed } from "../src/state/notices";

test("what was not done and is not kept is named, and nobody is told that it waits", () => {
  tellFailed("The prompt was not applied", new OfflineError());
  tellFailed("The prompt was not applied", new ApiError(422, "input", "Nothing is there", "click elsewhere"));
  expect(notices.value.map(({ tone, message, remedy }) => [tone, message, remedy])).toEqual([
    ["error", "The prompt was not applied: the server does not respond", "check that the server still runs, then try again"],
    ["error", "The prompt was not applied: nothing is there", "click elsewhere"],
  ]);
});
