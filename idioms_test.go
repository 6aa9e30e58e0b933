package schoolmail_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// source is what one folder of the module holds, tests and generated files aside.
type source struct {
	dir    string // "." or "ox/oxtest"
	name   string // of the package
	funcs  map[string]*ast.FuncDecl
	types  map[string]ast.Expr
	vars   map[string]ast.Expr // of the package, by what they begin with
	kinds  []string            // constants of type Kind
	calls  []*ast.CallExpr
	consts []string
}

// sources parses every package of the module, by folder.
func sources(t *testing.T) []*source {
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
			s = &source{dir: dir, name: file.Name.Name, funcs: map[string]*ast.FuncDecl{},
				types: map[string]ast.Expr{}, vars: map[string]ast.Expr{}}
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
	return slices.SortedFunc(maps.Values(all), func(a, b *source) int { return strings.Compare(a.dir, b.dir) })
}

func (s *source) add(file *ast.File) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			s.funcs[receiver(d)+d.Name.Name] = d
		case *ast.GenDecl:
			s.addSpecs(d)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			s.calls = append(s.calls, call)
		}
		return true
	})
}

func (s *source) addSpecs(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			s.types[spec.Name.Name] = spec.Type
		case *ast.ValueSpec:
			for i, name := range spec.Names {
				if d.Tok == token.CONST {
					s.consts = append(s.consts, name.Name)
				}
				if d.Tok == token.CONST && text(spec.Type) == "Kind" {
					s.kinds = append(s.kinds, name.Name)
				}
				if d.Tok == token.VAR && i < len(spec.Values) {
					s.vars[name.Name] = spec.Values[i]
				}
			}
		}
	}
}

// public reports whether others can import the package.
func (s *source) public() bool {
	return s.name != "main" && !strings.Contains("/"+s.dir+"/", "/internal/") && !strings.HasPrefix(s.dir, "examples")
}

// text writes a type as Go does, without the package's name before it.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.StarExpr:
		return "*" + text(e.X)
	case *ast.ArrayType:
		return "[]" + text(e.Elt)
	case *ast.Ellipsis:
		return "..." + text(e.Elt)
	case *ast.FuncType:
		return "func(" + strings.Join(typesOf(e.Params), ", ") + ") " + strings.Join(typesOf(e.Results), ", ")
	}
	return ""
}

// typesOf lists the types of parameters, results or fields, one for each name.
func typesOf(list *ast.FieldList) []string {
	var types []string
	if list != nil {
		for _, f := range list.List {
			types = append(types, slices.Repeat([]string{text(f.Type)}, max(1, len(f.Names)))...)
		}
	}
	return types
}

// signature writes "(context.Context, ...Option) (*Server, error)" of a function;
// empty: there is none.
func (s *source) signature(name string) string {
	f := s.funcs[name]
	if f == nil {
		return ""
	}
	return fmt.Sprintf("(%s) (%s)", strings.Join(typesOf(f.Type.Params), ", "),
		strings.Join(typesOf(f.Type.Results), ", "))
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

// named calls f for each name that a package shows or has, with what it names.
func (s *source) named(f func(name string, typ ast.Expr)) {
	for name, typ := range s.types {
		f(name, typ)
		if of, ok := typ.(*ast.StructType); ok {
			for _, field := range of.Fields.List {
				for _, id := range field.Names {
					f(name+"."+id.Name, field.Type)
				}
			}
		}
	}
	for name, decl := range s.funcs {
		f(name, decl.Type)
	}
	for name := range s.vars {
		f(name, nil)
	}
	for _, name := range s.consts {
		f(name, nil)
	}
}

// TestIdioms holds what all packages have in common, so that who knows one of them
// knows the others. There are no exceptions.
func TestIdioms(t *testing.T) {
	t.Parallel()
	rules := map[string]func(*source) []string{"names": names, "panics": panics, "kinds": kinds,
		"observers": observers, "options": options, "ids": ids, "simulators": simulators}
	for _, s := range sources(t) {
		for name, rule := range rules {
			for _, b := range rule(s) {
				t.Errorf("%s, %s: %s", s.dir, name, b)
			}
		}
	}
}

// names holds words that a stranger understands.
func names(s *source) (broken []string) {
	if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "misc", "types", "manager"}, s.name) {
		broken = append(broken, "a package is named after what it holds, not "+s.name)
	}
	unclear := map[string]string{"Rest": "what is the rest of what", "Want": "wanted by whom",
		"Left": "left where, or over",
		"Drop": "dropped from where, or a connection", "Hit": "what was found", "Row": "a row of what", "Mistake": "whose",
		"Level": "of what", "seeker": "who seeks what", "taker": "who takes what", "EffectCopy": "for neighbours only",
		"Began": "for neighbours only", "StateFile": "for neighbours only", "Names": "of what"}
	s.named(func(name string, typ ast.Expr) {
		_, own, inside := strings.Cut(name, ".")
		if !inside {
			own = name
		}
		said, bad := unclear[own]
		if (own == "Level" || own == "Names") && (inside || s.dir != "." && s.dir != "ucs") {
			return // a membership's level, a group's names
		}
		if bad {
			broken = append(broken, fmt.Sprintf("%s is no name a stranger understands (%s)", name, said))
		}
		if strings.HasPrefix(own, "Exit") && s.public() && !inside {
			broken = append(broken, name+": exit statuses are the programs', in internal/cli")
		}
	})
	return broken
}

// panics holds that no package ends the program of who uses it. net/http's way of
// breaking an answer off, and handing on what somebody else began, are none.
func panics(s *source) (broken []string) {
	for _, call := range s.calls {
		if f, ok := call.Fun.(*ast.Ident); !ok || f.Name != "panic" {
			continue
		}
		if sel, ok := call.Args[0].(*ast.SelectorExpr); ok && sel.Sel.Name == "ErrAbortHandler" {
			continue
		}
		broken = append(broken, "panics: a library returns errors")
	}
	return broken
}

// kinds holds that errors are told apart by kinds that are errors themselves, and
// that one typed error, found with errors.As, says the rest.
func kinds(s *source) (broken []string) {
	if !s.public() || s.dir == "." { // the root has the errors that others wrap
		return nil
	}
	for name, value := range s.vars {
		if call, ok := value.(*ast.CallExpr); ok && ast.IsExported(name) && text(call.Fun) == "New" {
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && text(f.X) == "errors" {
				broken = append(broken, name+" is a variable: errors are constants of type Kind")
			}
		}
	}
	if _, ok := s.types["Kind"]; ok && len(s.kinds) > 0 && s.funcs["Kind.Error"] == nil {
		broken = append(broken, "Kind has no method Error: callers ask with errors.Is(err, "+s.name+".ErrX)")
	}
	if of, ok := s.types["Error"].(*ast.StructType); ok {
		if !slices.Contains(typesOf(of.Fields), "Kind") {
			broken = append(broken, "Error has no field of type Kind")
		}
		for _, f := range []string{"Error.Error", "Error.Unwrap"} {
			if s.funcs[f] == nil {
				broken = append(broken, "*"+f+" is missing")
			}
		}
	}
	return broken
}

// observers holds that whoever wants to be told sets an Observer.
func observers(s *source) (broken []string) {
	if of, ok := s.types["Observer"]; ok {
		iface, ok := of.(*ast.InterfaceType)
		if !ok || len(iface.Methods.List) != 1 || len(iface.Methods.List[0].Names) != 1 ||
			iface.Methods.List[0].Names[0].Name != "Observe" || text(iface.Methods.List[0].Type) != "func(Event) " {
			broken = append(broken, "Observer is an interface with Observe(Event) alone")
		}
		if s.public() && s.funcs["ObserverFunc.Observe"] == nil {
			broken = append(broken, "there is no ObserverFunc that makes a function an Observer")
		}
	}
	if !s.public() {
		return broken
	}
	s.named(func(name string, typ ast.Expr) {
		owner, field, _ := strings.Cut(name, ".")
		f, ok := typ.(*ast.FuncType)
		if ok && f.Results == nil && len(typesOf(f.Params)) > 0 && ast.IsExported(owner) && ast.IsExported(field) &&
			s.funcs[name] == nil {
			broken = append(broken, name+" is a function that is told something: that is an Observer's work")
		}
	})
	return broken
}

// options holds that options are the last parameter, are called opts, and that nil
// does for them.
func options(s *source) (broken []string) {
	if !s.public() {
		return nil
	}
	for name, f := range s.funcs {
		if !ast.IsExported(f.Name.Name) {
			continue
		}
		for i, p := range f.Type.Params.List {
			of := strings.TrimPrefix(text(p.Type), "*")
			if !strings.HasSuffix(of, "Options") {
				continue
			}
			switch {
			case text(p.Type) == of:
				broken = append(broken, name+" takes options that cannot be nil: "+of)
			case i < len(f.Type.Params.List)-1:
				broken = append(broken, name+"'s options are not last")
			case len(p.Names) != 1 || p.Names[0].Name != "opts":
				broken = append(broken, name+"'s options are not called opts")
			}
		}
	}
	return broken
}

// idName is what a user's or context's id is called: Users and Contexts are counts.
var idName = regexp.MustCompile(`^((User|Context)(ID|IDs)?|SchoolID)$`)

// ids holds that ids of different things cannot be mixed up, and that a user's id
// is schoolmail.UserID wherever it shows.
func ids(s *source) (broken []string) {
	for _, name := range []string{"UserID", "ContextID", "SchoolID"} {
		if _, ok := s.types[name]; ok && s.dir != "." {
			broken = append(broken, "has a type "+name+" of its own: it is schoolmail."+name)
		}
	}
	if !s.public() {
		return broken
	}
	plain := []string{"int", "int32", "int64", "uint32", "[]int"}
	s.named(func(name string, typ ast.Expr) {
		owner, field, ok := strings.Cut(name, ".")
		named := idName.MatchString(field) || field == "ID" && idName.MatchString(owner)
		if ok && ast.IsExported(owner) && named && slices.Contains(plain, text(typ)) {
			broken = append(broken, name+" is a plain number: ids have types of their own")
		}
	})
	for name, f := range s.funcs {
		if !ast.IsExported(f.Name.Name) || !ast.IsExported(name) {
			continue
		}
		for _, p := range f.Type.Params.List {
			for _, id := range p.Names {
				title := strings.ToUpper(id.Name[:1]) + id.Name[1:]
				if idName.MatchString(title) && slices.Contains(plain, text(p.Type)) {
					broken = append(broken, name+" takes "+id.Name+" as a plain number: ids have types of their own")
				}
			}
		}
	}
	return broken
}

// simulators holds that every server that is played is played in one way: New
// listens nowhere, Start listens, Run does both for one function, Inject spoils
// answers until it is taken back, Calls tells what came, and Close ends it.
func simulators(s *source) (broken []string) {
	if !s.public() || !strings.HasSuffix(s.name, "test") {
		return nil
	}
	if _, ok := s.types["Option"]; !ok {
		return nil // it makes data; it plays no server
	}
	expect := func(name, pattern string) {
		if got := s.signature(name); !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
			broken = append(broken, fmt.Sprintf("%s is %q, expected %s", name, got, pattern))
		}
	}
	expect("Start", `\(\.\.\.Option\) \(\*\w+, error\)`)
	expect("Run", `\(func\(Context, \*\w+\) error, \.\.\.Option\) \(error\)`)
	started := regexp.MustCompile(`\*(\w+),`).FindStringSubmatch(s.signature("Start"))
	if started != nil {
		expect(started[1]+".Close", `\(\) \(error\)`)
	}
	if s.dir == "site/sitetest" {
		return broken // all of them together: calls and faults are each server's own
	}
	expect("New", `\(\.\.\.Option\) \(\*Server\)`)
	expect("Server.Close", `\(\) \(error\)`)
	for typ := range s.types {
		if s.funcs[typ+".Inject"] == nil && s.funcs[typ+".Calls"] == nil {
			continue
		}
		expect(typ+".Inject", `\(\w*Fault\) \(func\(\) \)`)
		expect(typ+".Calls", `\(\) \(\[\]\w*Call\)`)
		expect(typ+".Close", `\(\) \(error\)`)
	}
	if s.funcs["Server.Inject"] == nil {
		broken = append(broken, "Server has no Inject(Fault) (remove func())")
	}
	return broken
}

// TestNobodySleeps holds that tests wait for what they wait for: time passes in a
// bubble of testing/synctest, or they talk to a real server.
func TestNobodySleeps(t *testing.T) {
	t.Parallel()
	real := []string{"TestLocksOfUDM", "TestIdleSourceCloses"} // slapd, Dovecot
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		bubbles := strings.Contains(strings.Join(imported(file), " "), "testing/synctest")
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || slices.Contains(real, f.Name.Name) {
				continue
			}
			bubble := bubbles && !strings.HasPrefix(f.Name.Name, "Test") // called from one
			sleeps := false
			ast.Inspect(f, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					bubble = bubble || text(sel.X) == "synctest"
					sleeps = sleeps || text(sel.X) == "time" && sel.Sel.Name == "Sleep"
				}
				return true
			})
			if sleeps && !bubble {
				t.Errorf("%s: %s sleeps outside of testing/synctest", path, f.Name.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func imported(file *ast.File) (paths []string) {
	for _, i := range file.Imports {
		paths = append(paths, i.Path.Value)
	}
	return paths
}
