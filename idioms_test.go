package schoolmail_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// source is what one folder of the module holds, tests and generated files aside.
type source struct {
	name   string            // of the package
	funcs  map[string]bool   // "Start", "Kind.Error", "Server.Close"
	types  map[string]string // "struct", "interface" or the name of what it is made of
	panics int               // calls that end the program, those that only break an answer off aside
}

// sources parses every package of the module, by folder.
func sources(t *testing.T) map[string]*source {
	t.Helper()
	all := map[string]*source{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") ||
			strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_gen.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		s := all[dir]
		if s == nil {
			s = &source{name: file.Name.Name, funcs: map[string]bool{}, types: map[string]string{}}
			all[dir] = s
		}
		s.add(file)
		for _, group := range file.Comments {
			for _, word := range []string{"TODO", "FIXME", "XXX"} {
				if strings.Contains(group.Text(), word) {
					t.Errorf("%s: a comment says %s: do it, or say in words what is missing", path, word)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s *source) add(file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			s.funcs[receiver(n)+n.Name.Name] = true
		case *ast.TypeSpec:
			switch of := n.Type.(type) {
			case *ast.StructType:
				s.types[n.Name.Name] = "struct"
			case *ast.InterfaceType:
				s.types[n.Name.Name] = "interface"
			case *ast.Ident:
				s.types[n.Name.Name] = of.Name
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "panic" && !breaksOff(n) {
				s.panics++
			}
		}
		return true
	})
}

// breaksOff reports whether a panic is net/http's way of ending an answer early.
func breaksOff(call *ast.CallExpr) bool {
	sel, ok := call.Args[0].(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "ErrAbortHandler"
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "."
	}
	return ""
}

// TestIdioms holds what all packages have in common. The exceptions are what was
// there when the rule was set; the lists may only get shorter.
func TestIdioms(t *testing.T) {
	t.Parallel()
	// Where a mistake of ours, which no input can cause, ends the program.
	panics := map[string]int{"addressbook": 2, "dovecot/dovecottest": 3, "escada/escadatest": 1,
		"internal/soap": 5}
	// Simulators without Start or Run.
	unfinished := []string{"dovecot/dovecottest", "ox/oxtest"}
	for dir, s := range sources(t) {
		for _, bad := range []string{"util", "utils", "common", "helper", "helpers", "misc", "types", "manager"} {
			if s.name == bad {
				t.Errorf("%s: a package is named after what it holds, not %s", dir, bad)
			}
		}
		if s.panics > panics[dir] {
			t.Errorf("%s: %d panics, at most %d: a library returns errors", dir, s.panics, panics[dir])
		}
		if s.types["Kind"] == "string" && s.types["Error"] == "struct" && !s.funcs["Kind.Error"] {
			t.Errorf("%s: Kind has no method Error: callers ask with errors.Is(err, %s.ErrX)", dir, s.name)
		}
		if of, ok := s.types["Observer"]; ok && of != "interface" {
			t.Errorf("%s: Observer is an interface with Observe(Event)", dir)
		}
		simulator := strings.HasSuffix(s.name, "test") && (s.types["Server"] == "struct" || s.types["Sandbox"] == "struct")
		if !simulator || slices.Contains(unfinished, dir) {
			continue
		}
		for _, f := range []string{"Start", "Run"} {
			if !s.funcs[f] {
				t.Errorf("%s: a simulator has %s(... opts ...Option)", dir, f)
			}
		}
	}
}
