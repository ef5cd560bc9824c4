export default function Page() {
  return <h1>{["Hello", "from", "waku"].join(" ")}</h1>;
}

export const getConfig = () => ({ render: "static" });
