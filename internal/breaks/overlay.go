package breaks

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const environment = "SCHOOLMAIL_BREAK"

// overlay is the name of the file that says which broken files stand for those of a
// package.
func (s *Suite) overlay(pkg string) string {
	return filepath.Join(s.dir, strings.ReplaceAll(pkg, "/", "-")+".json")
}

// overlays writes the files with all breaks, and an overlay for each package.
func (s *Suite) overlays() error {
	byFile := map[string][]int{}
	for i := range s.list {
		byFile[s.list[i].File] = append(byFile[s.list[i].File], i)
	}
	var errs []error
	n := 0
	for _, pkg := range s.packages() {
		replace := map[string]string{}
		write := func(name, text string) {
			n++
			file := filepath.Join(s.dir, strconv.Itoa(n)+".go")
			errs = append(errs, os.WriteFile(file, []byte(text), 0o600))
			replace[filepath.Join(s.root, filepath.FromSlash(name))] = file
		}
		for _, name := range slices.Sorted(maps.Keys(byFile)) {
			if path.Dir(name) != pkg {
				continue
			}
			text, pkg, err := s.broken(name, byFile[name])
			errs = append(errs, err)
			write(name, text)
			write(path.Join(path.Dir(name), "break_number.go"), "package "+pkg+
				"\n\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n\n"+
				"var breakNumber, _ = strconv.Atoi(os.Getenv(\""+environment+"\"))\n")
		}
		data, err := json.Marshal(map[string]any{"Replace": replace})
		errs = append(errs, err, os.WriteFile(s.overlay(pkg), data, 0o600))
	}
	return errors.Join(errs...)
}

// broken returns the text of a file in which each function calls its broken copies
// when their number is asked for, and the name of its package.
func (s *Suite) broken(name string, breaks []int) (text, pkg string, err error) {
	type edit struct {
		at   int
		text string
	}
	var edits []edit
	var copies strings.Builder
	for _, i := range breaks {
		b := &s.list[i]
		var at int
		if text, at, err = b.find(s.root); err != nil {
			return "", "", err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
		if err != nil {
			return "", "", fmt.Errorf("breaks: %w", err)
		}
		pkg = file.Name.Name
		offset := func(p token.Pos) int { return set.Position(p).Offset }
		k := slices.IndexFunc(file.Decls, func(d ast.Decl) bool {
			f, ok := d.(*ast.FuncDecl)
			return ok && f.Body != nil && offset(f.Body.Pos()) < at && at+len(b.Old) <= offset(f.End())
		})
		if k < 0 {
			return "", "", fmt.Errorf("breaks: %s: %q is not within a function", b.File, b.Old)
		}
		f := file.Decls[k].(*ast.FuncDecl)
		number := fmt.Sprintf("_break%d", i+1)
		call, err := callOf(f, number)
		if err != nil {
			return "", "", fmt.Errorf("breaks: %s: %q: %w", b.File, b.Old, err)
		}
		edits = append(edits, edit{offset(f.Body.Lbrace) + 1, fmt.Sprintf(" if breakNumber == %d { %s }; ", i+1, call)})
		from, nameEnd, end := offset(f.Pos()), offset(f.Name.End()), offset(f.End())
		copies.WriteString("\n" + text[from:nameEnd] + number + text[nameEnd:at] + b.New + text[at+len(b.Old):end] + "\n")
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(b.at, a.at) })
	for _, e := range edits { // the last first
		text = text[:e.at] + e.text + text[e.at:]
	}
	return text + copies.String(), pkg, nil
}

// callOf calls the copy of a function with the function's own arguments.
func callOf(f *ast.FuncDecl, suffix string) (string, error) {
	call := f.Name.Name + suffix
	if f.Recv != nil {
		if len(f.Recv.List[0].Names) == 0 {
			return "", errors.New("the receiver has no name")
		}
		call = f.Recv.List[0].Names[0].Name + "." + call
	}
	var args []string
	for _, p := range f.Type.Params.List {
		if len(p.Names) == 0 {
			return "", errors.New("a parameter has no name")
		}
		for _, n := range p.Names {
			if n.Name == "_" {
				return "", errors.New("a parameter has no name")
			}
			arg := n.Name
			if _, variadic := p.Type.(*ast.Ellipsis); variadic {
				arg += "..."
			}
			args = append(args, arg)
		}
	}
	call += "(" + strings.Join(args, ", ") + ")"
	if f.Type.Results == nil {
		return call + "; return", nil
	}
	return "return " + call, nil
}
