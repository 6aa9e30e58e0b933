// Command wsdlfix turns the WSDLs of SOAP services into Go packages of raw types,
// one per service, and one for the data types that several services have in common.
// It runs gowsdl on a cleaned copy of each document and rewrites the result, because
// gowsdl v0.5.0 knows no namespaces below the wrapper element, declares fault
// elements and exception types twice, and brings a client whose behaviour we do not
// want:
//
//   - fault wrapper elements, which no message names, are taken out of the copy
//     that gowsdl reads;
//   - every field tag gets the namespace of the schema that declares it, and a
//     second tag, soap, that says "nillable" and "required" as the schema does;
//   - optional scalars become pointers, so that zero can be told from absent;
//     repeated scalars become plain slices; dates, binary content and anyType
//     become types of package xsd;
//   - types that no operation reaches, interfaces and the client are dropped;
//   - a variable per operation and the table Operations are added;
//   - a data type that two services or more declare alike, down to the namespace of
//     each field and the types that it leads to, is declared once, in the shared
//     package; the services' packages name it by an alias.
//
// The field list of gowsdl and the schema must agree, field by field; wsdlfix
// fails on anything that it does not know. It is run by go generate:
//
//	go run ./internal/wsdlfix -modfile go.tool.mod -shared ox/internal/oxdata ox/internal/oxgroup=OXGroupService.wsdl ...
package main

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/ictmedia/schoolmail/internal/wsdlfix/wsdldoc"
)

func main() {
	modfile := flag.String("modfile", "go.tool.mod", "module file that pins gowsdl")
	shared := flag.String("shared", "", "folder of the package of the types that services have in common")
	check := flag.Bool("check", false, "write nothing, fail when a file differs from what would be written")
	flag.Parse()
	if flag.NArg() == 0 || *shared == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*modfile, *shared, flag.Args(), *check); err != nil {
		fmt.Fprintf(os.Stderr, "wsdlfix: %v\n", err)
		os.Exit(1)
	}
}

// run writes the packages of services, each given as folder=document, and the shared one.
func run(modfile, shared string, services []string, check bool) error {
	var all []*service
	for _, arg := range services {
		out, path, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not folder=document", arg)
		}
		s, err := read(modfile, out, path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, s)
	}
	common := inCommon(all)
	src, err := emitShared(filepath.Base(shared), common)
	if err != nil {
		return err
	}
	if err := put(shared, src, check); err != nil {
		return err
	}
	for _, s := range all {
		src, err := emit(s, filepath.Base(shared), common)
		if err != nil {
			return fmt.Errorf("%s: %w", s.source, err)
		}
		if err := put(s.out, src, check); err != nil {
			return fmt.Errorf("%s: %w", s.source, err)
		}
	}
	if check {
		return nil
	}
	for _, s := range all {
		build := exec.Command("go", "build", ".")
		build.Dir = s.out
		if msg, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: the result does not compile: %v\n%s", s.source, err, msg)
		}
	}
	return nil
}

// put writes the file of a package, or compares it.
func put(out string, src []byte, check bool) error {
	file := filepath.Join(out, "types_gen.go")
	if check {
		have, err := os.ReadFile(file)
		if err == nil && !bytes.Equal(have, src) {
			err = fmt.Errorf("%s is not what the documents give: run go generate", file)
		}
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, src, 0o644)
}

// read parses the document of a service and runs gowsdl on it.
func read(modfile, out, path string) (*service, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	doc, err := wsdldoc.Parse(data)
	if err != nil {
		return nil, err
	}
	clean, err := dropFaultElements(data, doc)
	if err != nil {
		return nil, err
	}
	raw, err := gowsdl(modfile, clean)
	if err != nil {
		return nil, err
	}
	s, err := declare(raw, doc)
	if err != nil {
		return nil, err
	}
	s.out, s.source = out, filepath.Base(path)
	return s, nil
}

// dropFaultElements cuts the global elements that no input or output message
// names. What remains is what gowsdl shall see.
func dropFaultElements(data []byte, doc *wsdldoc.Document) ([]byte, error) {
	used := map[string]bool{}
	for _, op := range doc.Operations {
		used[op.Input.Local], used[op.Output.Local] = true, true
	}
	dec := xml.NewDecoder(bytes.NewReader(data))
	var out []byte
	var kept, cutFrom int64 // out ends at offset kept; an element that began at cutFrom is being cut
	depth, cutDepth := 0, -1
	for {
		before := dec.InputOffset()
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			// definitions is 0, types 1, schema 2, a global element 3.
			if depth == 3 && cutDepth < 0 && t.Name.Space == wsdldoc.XSD && t.Name.Local == "element" && !used[attr(t, "name")] {
				cutDepth, cutFrom = depth, before
			}
			depth++
		case xml.EndElement:
			depth--
			if depth == cutDepth {
				out = append(out, data[kept:cutFrom]...)
				kept, cutDepth = dec.InputOffset(), -1
			}
		}
	}
	return append(out, data[kept:]...), nil
}

func attr(t xml.StartElement, local string) string {
	for _, a := range t.Attr {
		if a.Name.Space == "" && a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// gowsdl runs the generator in a temporary folder and returns its source text.
func gowsdl(modfile string, wsdl []byte) ([]byte, error) {
	dir, err := os.MkdirTemp("", "wsdlfix")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	in := filepath.Join(dir, "service.wsdl")
	if err := os.WriteFile(in, wsdl, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "tool", "-modfile="+modfile, "gowsdl", "-d", dir, "-p", "raw", "-o", "raw.go", in)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gowsdl: %v\n%s", err, msg)
	}
	return os.ReadFile(filepath.Join(dir, "raw", "raw.go"))
}

// A message is a Go struct to emit: a wrapper element or a data type.
type message struct {
	goName  string
	element xml.Name // of a wrapper
	fields  []wsdldoc.Field
}

// A declared is a struct in the words of its package.
type declared struct {
	name    string
	text    string
	wrapper bool
	xsd     bool     // uses package xsd
	leads   []string // data types of its fields
}

// A service is what becomes a package.
type service struct {
	doc     *wsdldoc.Document
	out     string // folder
	source  string // name of the document
	structs []declared
}

// declare builds the structs of a service from gowsdl's.
func declare(raw []byte, doc *wsdldoc.Document) (*service, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "raw.go", raw, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("gowsdl wrote something that is not Go: %w", err)
	}
	structs := map[string]*ast.StructType{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if st, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = st
			}
		}
		return true
	})
	msgs, err := reachable(doc)
	if err != nil {
		return nil, err
	}
	s := &service{doc: doc}
	for _, m := range msgs {
		st := structs[m.goName]
		if st == nil {
			return nil, fmt.Errorf("gowsdl wrote no struct %s", m.goName)
		}
		text, xsd, err := emitStruct(m, st)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.goName, err)
		}
		d := declared{name: m.goName, text: text, wrapper: m.element.Local != "", xsd: xsd}
		for _, f := range m.fields {
			if f.Type.Space != wsdldoc.XSD {
				d.leads = append(d.leads, goName(f.Type.Local))
			}
		}
		s.structs = append(s.structs, d)
	}
	return s, nil
}

// A sharedType is a data type that several services declare alike.
type sharedType struct {
	declared
	of map[*service]bool
}

// inCommon finds the data types that two services or more declare alike. Of
// several forms under one name the one that most services have is shared; the
// other services keep their own.
func inCommon(all []*service) map[string]*sharedType {
	common := mostCommon(all)
	// What leads to a type that a service has of its own is that service's own, too.
	for again := true; again; {
		again = false
		for name, t := range common {
			before := len(t.of)
			maps.DeleteFunc(t.of, func(s *service, _ bool) bool {
				return slices.ContainsFunc(t.leads, func(l string) bool { return common[l] == nil || !common[l].of[s] })
			})
			if len(t.of) < 2 {
				delete(common, name)
			}
			again = again || len(t.of) < max(before, 2)
		}
	}
	return common
}

// mostCommon gives, of each data type that two services or more declare alike, the form
// that most of them have.
func mostCommon(all []*service) map[string]*sharedType {
	type form struct{ name, text string }
	forms := map[form]*sharedType{}
	for _, s := range all {
		for _, d := range s.structs {
			if d.wrapper {
				continue
			}
			f := form{d.name, d.text}
			if forms[f] == nil {
				forms[f] = &sharedType{declared: d, of: map[*service]bool{}}
			}
			forms[f].of[s] = true
		}
	}
	common := map[string]*sharedType{}
	keys := slices.SortedFunc(maps.Keys(forms), func(a, b form) int { return strings.Compare(a.text, b.text) })
	for _, f := range keys {
		if t := forms[f]; len(t.of) > 1 && (common[f.name] == nil || len(t.of) > len(common[f.name].of)) {
			common[f.name] = t
		}
	}
	return common
}

const modulePath = "github.com/ictmedia/schoolmail"

// emitShared writes the package of the types in common.
func emitShared(pkg string, common map[string]*sharedType) ([]byte, error) {
	var b, body bytes.Buffer
	usesXSD := false
	for _, name := range slices.Sorted(maps.Keys(common)) {
		body.WriteString(common[name].text)
		usesXSD = usesXSD || common[name].xsd
	}
	b.WriteString("// Code generated by wsdlfix and gowsdl v0.5.0. DO NOT EDIT.\n\n")
	fmt.Fprintf(&b, "// Package %s holds the raw data types that several services declare alike.\n", pkg)
	fmt.Fprintf(&b, "package %s\n\n", pkg)
	if usesXSD {
		fmt.Fprintf(&b, "import %q\n\n", modulePath+"/internal/xsd")
	}
	b.Write(body.Bytes())
	return format.Source(b.Bytes())
}

// emit writes the package of a service.
func emit(s *service, shared string, common map[string]*sharedType) ([]byte, error) {
	var b, body, aliases bytes.Buffer
	usesXSD := false
	for _, d := range s.structs {
		if t := common[d.name]; !d.wrapper && t != nil && t.of[s] {
			fmt.Fprintf(&aliases, "\t%s = %s.%s\n", d.name, shared, d.name)
			continue
		}
		body.WriteString(d.text)
		usesXSD = usesXSD || d.xsd
	}
	pkg := filepath.Base(s.out)
	fmt.Fprintf(&b, "// Code generated by wsdlfix and gowsdl v0.5.0 from %s. DO NOT EDIT.\n\n", s.source)
	fmt.Fprintf(&b, "// Package %s holds the raw types and the operation table of %s.\n", pkg, s.doc.Service)
	fmt.Fprintf(&b, "package %s\n\nimport (\n\t\"encoding/xml\"\n\n\t%q\n", pkg, modulePath+"/internal/soap")
	if usesXSD {
		fmt.Fprintf(&b, "\t%q\n", modulePath+"/internal/xsd")
	}
	if aliases.Len() > 0 {
		fmt.Fprintf(&b, "\t%q\n", modulePath+"/ox/internal/"+shared)
	}
	b.WriteString(")\n\n// Service is the name of the service, Namespace that of its wrapper elements.\n")
	fmt.Fprintf(&b, "const (\n\tService = %q\n\tNamespace = %q\n)\n\n", s.doc.Service, s.doc.TargetNamespace)
	emitOperations(&b, s.doc)
	if aliases.Len() > 0 {
		fmt.Fprintf(&b, "// Data types that other services declare alike.\ntype (\n%s)\n\n", aliases.String())
	}
	b.Write(body.Bytes())
	return format.Source(b.Bytes())
}

// typeSet are data types by their local names.
type typeSet map[string]*wsdldoc.Type

// visit adds the types that fields lead to.
func (types typeSet) visit(doc *wsdldoc.Document, fields []wsdldoc.Field) error {
	for _, f := range fields {
		t := doc.Types[f.Type]
		if t == nil {
			continue
		}
		have := types[t.Name.Local]
		switch {
		case t.Base.Local != "":
			return fmt.Errorf("type %q extends another: only exceptions may", t.Name.Local)
		case have == t:
			continue
		case have != nil:
			return fmt.Errorf("type %q is declared in two namespaces", t.Name.Local)
		}
		types[t.Name.Local] = t
		if err := types.visit(doc, t.Fields); err != nil {
			return err
		}
	}
	return nil
}

// reachable lists the wrappers of all operations in order, then the data types
// that they lead to, sorted. Two types of one local name are refused, since
// gowsdl would declare both under one Go name.
func reachable(doc *wsdldoc.Document) ([]message, error) {
	var out []message
	types := typeSet{}
	for _, op := range doc.Operations {
		for _, name := range []xml.Name{op.Input, op.Output} {
			if name.Local == "" {
				continue
			}
			e := doc.Elements[name]
			out = append(out, message{goName: goName(name.Local), element: name, fields: e.Fields})
			if err := types.visit(doc, e.Fields); err != nil {
				return nil, err
			}
		}
	}
	names := make([]string, 0, len(types))
	for n := range types {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		out = append(out, message{goName: goName(n), fields: types[n].Fields})
	}
	seen := map[string]bool{}
	for _, m := range out {
		if seen[m.goName] {
			return nil, fmt.Errorf("two types would be called %s", m.goName)
		}
		seen[m.goName] = true
	}
	return out, nil
}

// goName is gowsdl's way to make a type name.
func goName(local string) string { return strings.ToUpper(local[:1]) + local[1:] }

// emitStruct writes one struct, walking gowsdl's fields and the schema's in step.
func emitStruct(m message, st *ast.StructType) (text string, usesXSD bool, err error) {
	var b strings.Builder
	if m.element.Local != "" {
		fmt.Fprintf(&b, "// %s is the element %s.\ntype %s struct {\n\tXMLName xml.Name `xml:\"%s %s\"`\n",
			m.goName, m.element.Local, m.goName, m.element.Space, m.element.Local)
	} else {
		fmt.Fprintf(&b, "// %s is a data type of the service.\ntype %s struct {\n", m.goName, m.goName)
	}
	i := 0
	for _, f := range st.Fields.List {
		if len(f.Names) != 1 || f.Tag == nil {
			return "", false, fmt.Errorf("embedded or untagged field")
		}
		name := f.Names[0].Name
		if name == "XMLName" {
			continue
		}
		local, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("xml"), ",")
		if i >= len(m.fields) {
			return "", false, fmt.Errorf("field %s is not in the schema", name)
		}
		want := m.fields[i]
		if want.Name.Local != local {
			return "", false, fmt.Errorf("field %s: gowsdl has %q where the schema has %q", name, local, want.Name.Local)
		}
		i++
		typ, xsd, err := fieldType(exprString(f.Type), want)
		if err != nil {
			return "", false, fmt.Errorf("field %s: %w", name, err)
		}
		usesXSD = usesXSD || xsd
		omit := ",omitempty"
		if !want.Optional && !want.Nillable {
			omit = ""
		}
		fmt.Fprintf(&b, "\t%s %s `xml:\"%s %s%s\"", name, typ, want.Name.Space, want.Name.Local, omit)
		var flags []string
		if want.Nillable {
			flags = append(flags, "nillable")
		}
		if !want.Optional {
			flags = append(flags, "required")
		}
		if len(flags) > 0 {
			fmt.Fprintf(&b, " soap:%q", strings.Join(flags, ","))
		}
		b.WriteString("`\n")
	}
	if i != len(m.fields) {
		return "", false, fmt.Errorf("gowsdl left out %q", m.fields[i].Name.Local)
	}
	b.WriteString("}\n\n")
	return b.String(), usesXSD, nil
}

// scalars are gowsdl's Go types for the XSD types in use, and ours.
var scalars = map[string]string{
	"string": "string", "int32": "int32", "int64": "int64", "bool": "bool",
	"soap.XSDDate": "xsd.Date", "soap.XSDDateTime": "xsd.DateTime", "AnyType": "xsd.Any", "[]byte": "xsd.Base64",
}

// fieldType chooses the Go type of a field from gowsdl's choice and the schema.
func fieldType(raw string, f wsdldoc.Field) (typ string, usesXSD bool, err error) {
	base := raw
	if f.Repeated {
		if !strings.HasPrefix(base, "[]") {
			return "", false, fmt.Errorf("%s is no slice, but the element repeats", raw)
		}
		base = base[2:]
	}
	base = strings.TrimPrefix(base, "*")
	if f.Type.Space != wsdldoc.XSD {
		if base != goName(f.Type.Local) {
			return "", false, fmt.Errorf("gowsdl has %s, the schema type %s", raw, f.Type.Local)
		}
		if f.Repeated {
			return "[]*" + base, false, nil
		}
		return "*" + base, false, nil
	}
	ours, ok := scalars[base]
	if !ok {
		return "", false, fmt.Errorf("type %s is not understood", raw)
	}
	usesXSD = strings.HasPrefix(ours, "xsd.")
	switch {
	case f.Repeated:
		return "[]" + ours, usesXSD, nil
	case ours == "xsd.Base64": // nil is absent
		return ours, usesXSD, nil
	case f.Optional || f.Nillable:
		return "*" + ours, usesXSD, nil
	default:
		return ours, usesXSD, nil
	}
}

// exprString prints the few kinds of type expression that gowsdl writes.
func exprString(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.StarExpr:
		return "*" + exprString(t.X)
	case *ast.ArrayType:
		return "[]" + exprString(t.Elt)
	case *ast.SelectorExpr:
		return exprString(t.X) + "." + t.Sel.Name
	default:
		return fmt.Sprintf("%T", e)
	}
}

func emitOperations(b *bytes.Buffer, doc *wsdldoc.Document) {
	fmt.Fprintf(b, "// Operations lists the operations of %s in the order of its WSDL.\n", doc.Service)
	b.WriteString("var Operations = []*soap.Operation{\n")
	for _, op := range doc.Operations {
		fmt.Fprintf(b, "\tOp%s,\n", goName(op.Name))
	}
	b.WriteString("}\n\n// The operations.\nvar (\n")
	for _, op := range doc.Operations {
		fmt.Fprintf(b, "\tOp%s = &soap.Operation{\n\t\tService: Service, Name: %q, Action: %q,\n", goName(op.Name), op.Name,
			op.Action)
		fmt.Fprintf(b, "\t\tRequest: xml.Name{Space: %q, Local: %q},\n", op.Input.Space, op.Input.Local)
		if op.Output.Local != "" {
			fmt.Fprintf(b, "\t\tResponse: xml.Name{Space: %q, Local: %q},\n", op.Output.Space, op.Output.Local)
		}
		b.WriteString("\t\tFaults: []string{")
		for i, f := range op.Faults {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(b, "%q", f.Element.Local)
		}
		fmt.Fprintf(b, "},\n\t\tNewRequest: func() any { return new(%s) },\n", goName(op.Input.Local))
		if op.Output.Local != "" {
			fmt.Fprintf(b, "\t\tNewResponse: func() any { return new(%s) },\n", goName(op.Output.Local))
		}
		b.WriteString("\t}\n")
	}
	b.WriteString(")\n\n")
}
