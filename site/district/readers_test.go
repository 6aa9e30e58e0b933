package district

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestEveryKeyHasAReader holds that there is no key which nobody reads: each field
// behind a key is used by a program or by site, or by what hands the file on to
// them; writing and checking it is no reading.
func TestEveryKeyHasAReader(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, root := range []string{"..", "../../examples", "../../internal/cli"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			own := filepath.Base(filepath.Dir(path)) == "district" || filepath.Dir(path) == "../district"
			name := filepath.Base(path)
			if own && (strings.HasPrefix(name, "write") || name == "check.go" || name == "print.go") {
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					used[sel.Sel.Name] = true
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	keys := 0
	var seen []reflect.Type
	var walk func(typ reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || slices.Contains(seen, typ) {
			return
		}
		seen = append(seen, typ)
		for f := range typ.Fields() {
			key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			if key == "" || key == "-" {
				continue
			}
			keys++
			if !used[f.Name] && !handedOn(typ) {
				t.Errorf("%s: nobody reads %s.%s", strings.TrimPrefix(path+"."+key, "."), typ.Name(), f.Name)
			}
			walk(f.Type, strings.TrimPrefix(path+"."+key, "."))
		}
	}
	walk(reflect.TypeFor[Config](), "")
	if keys < 100 {
		t.Errorf("%d keys: not all were looked at", keys)
	}
}

// handedOn reports whether a section becomes a value of another package as a whole,
// by a conversion of its type.
func handedOn(typ reflect.Type) bool {
	return slices.Contains([]string{"Limit", "Distinct", "Link", "Naming"}, typ.Name())
}
