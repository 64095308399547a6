import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** A source file: its path from the clone's root, with forward slashes, and its text. */
export type SourceFile = { path: string; text: string }

const SKIPPED = new Set(['node_modules', 'target', 'dist', 'gen', '.turbo', '.berth', '.git'])
const ROOTS = ['packages', 'apps', 'scripts', 'test']

/** Every TypeScript, JavaScript and Rust file of the house that somebody wrote by hand. */
export function readSources(root: string): SourceFile[] {
  const found: SourceFile[] = []
  const visit = (folder: string) => {
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      const name = `${folder}/${entry.name}`
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) visit(name)
      if (entry.isFile() && /\.(ts|mjs|rs)$/.test(name)) found.push({ path: name, text: readFileSync(path.join(root, name), 'utf8') })
    }
  }
  for (const folder of ROOTS) visit(folder)
  return found
}

const STATIC = /^[ \t]*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm
const BARE = /^[ \t]*import\s*['"]([^'"]+)['"]/gm
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]/g

/** What a file imports, types included: who may know whose types is part of the rules. */
export function importsOf(text: string): string[] {
  return [STATIC, BARE, DYNAMIC].flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] ?? ''))
}

/** Tests may reach anywhere: they stand outside the house. */
export function isTest(file: string): boolean {
  return /\.test\.\w+$/.test(file) || /^(packages|apps)\/[^/]+\/test\//.test(file) || file.startsWith('test/')
}

/** Lines as an editor counts them. */
export function lineCount(text: string): number {
  return text === '' ? 0 : text.replace(/\n$/, '').split('\n').length
}
