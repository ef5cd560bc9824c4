export default function Page() {
  return <h1>{["Hello", "from", "vike"].join(" ")}</h1>;
}
