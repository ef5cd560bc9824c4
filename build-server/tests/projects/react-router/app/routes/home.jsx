export default function Home() {
  return <h1>{["Hello", "from", "react-router"].join(" ")}</h1>;
}
