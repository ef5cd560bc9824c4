import { createFileRoute } from "@tanstack/react-router";

export const Route = createFileRoute("/")({
  component: () => <h1>{["Hello", "from", "tanstack-start"].join(" ")}</h1>,
});
