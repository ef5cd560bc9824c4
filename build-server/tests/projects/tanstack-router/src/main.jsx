import { createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { createRoot } from "react-dom/client";

const root = createRootRoute({ component: () => <h1>Made by a component of TanStack Router</h1> });
const router = createRouter({ routeTree: root });
createRoot(document.getElementById("app")).render(<RouterProvider router={router} />);
