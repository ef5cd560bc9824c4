import Counter from './Counter.jsx'
import reactLogo from './assets/react.svg'
import viteLogo from './assets/vite.svg'
import './App.css'

export default function App() {
  return (
    <main>
      <p className="logos">
        <a href="https://vite.dev/">
          <img src={viteLogo} alt="Vite" width="64" height="64" />
        </a>
        <a href="https://react.dev/">
          <img src={reactLogo} alt="React" width="64" height="64" />
        </a>
      </p>
      <h1>Deployed by GitDeploy</h1>
      <p>
        This page was a git repository a moment ago. Change <code>src/App.jsx</code>, commit, deploy again: it
        is replaced as a whole.
      </p>
      <Counter />
    </main>
  )
}
