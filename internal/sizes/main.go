// Sizes counts what a commit of this repository holds, for comparing:
//
//	go run ./internal/sizes          # HEAD
//	go run ./internal/sizes v0.1.0
//
// Lines are those of Go files that are neither empty nor comments alone; exported
// names are functions, methods, types, constants and variables of packages that
// others can import.
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
)

type sizes struct{ files, code, tests, generated, exported int }

func main() {
	commit := "HEAD"
	if len(os.Args) > 1 {
		commit = os.Args[1]
	}
	s, err := count(commit)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sizes:", err)
		os.Exit(1)
	}
	fmt.Printf("%s: %d Go files; lines: code %d, tests %d, generated %d; exported names %d\n",
		commit, s.files, s.code, s.tests, s.generated, s.exported)
}

func count(commit string) (s sizes, err error) {
	archive, err := exec.Command("git", "archive", "--format=tar", commit).Output()
	if err != nil {
		return s, fmt.Errorf("git archive %s: %w", commit, err)
	}
	files := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		if !strings.HasSuffix(h.Name, ".go") {
			continue
		}
		text, err := io.ReadAll(files)
		if err != nil {
			return s, err
		}
		if err := s.file(h.Name, text); err != nil {
			return s, err
		}
	}
}

func (s *sizes) file(name string, text []byte) error {
	s.files++
	n := lines(string(text))
	switch {
	case strings.HasSuffix(name, "_gen.go") || bytes.HasPrefix(text, []byte("// Code generated")):
		s.generated += n
		return nil
	case strings.HasSuffix(name, "_test.go"):
		s.tests += n
		return nil
	}
	s.code += n
	f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	if f.Name.Name == "main" || strings.Contains("/"+path.Dir(name)+"/", "/internal/") {
		return nil
	}
	for _, d := range f.Decls {
		s.exported += exported(d)
	}
	return nil
}

func lines(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}

func exported(d ast.Decl) int {
	if f, ok := d.(*ast.FuncDecl); ok {
		if f.Name.IsExported() {
			return 1
		}
		return 0
	}
	n := 0
	for _, spec := range d.(*ast.GenDecl).Specs {
		var names []*ast.Ident
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			names = []*ast.Ident{spec.Name}
		case *ast.ValueSpec:
			names = spec.Names
		}
		for _, name := range names {
			if name.IsExported() {
				n++
			}
		}
	}
	return n
}
