// Command wsdlfix turns the WSDL of one SOAP service into a Go package of raw
// types. It runs gowsdl on a cleaned copy of the document and rewrites the
// result, because gowsdl v0.5.0 knows no namespaces below the wrapper element,
// declares fault elements and exception types twice, and brings a client whose
// behaviour we do not want:
//
//   - fault wrapper elements, which no message names, are taken out of the copy
//     that gowsdl reads;
//   - every field tag gets the namespace of the schema that declares it, and a
//     second tag, soap, that says "nillable" and "required" as the schema does;
//   - optional scalars become pointers, so that zero can be told from absent;
//     repeated scalars become plain slices; dates, binary content and anyType
//     become types of package xsd;
//   - types that no operation reaches, interfaces and the client are dropped;
//   - a variable per operation and the table Operations are added.
//
// The field list of gowsdl and the schema must agree, field by field; wsdlfix
// fails on anything that it does not know. It is run by go generate:
//
//	go run ./internal/wsdlfix -modfile go.tool.mod -pkg oxgroup -out ox/internal/oxgroup OXGroupService.wsdl
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
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"github.com/ictmedia/schoolmail/internal/wsdlfix/wsdldoc"
)

func main() {
	modfile := flag.String("modfile", "go.tool.mod", "module file that pins gowsdl")
	pkg := flag.String("pkg", "", "name of the package to write")
	out := flag.String("out", "", "folder of the package; types_gen.go is written there")
	check := flag.Bool("check", false, "write nothing, fail when the file differs from what would be written")
	flag.Parse()
	if flag.NArg() != 1 || *pkg == "" || *out == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*modfile, *pkg, *out, flag.Arg(0), *check); err != nil {
		fmt.Fprintf(os.Stderr, "wsdlfix: %s: %v\n", flag.Arg(0), err)
		os.Exit(1)
	}
}

func run(modfile, pkg, out, path string, check bool) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	doc, err := wsdldoc.Parse(data)
	if err != nil {
		return err
	}
	clean, err := dropFaultElements(data, doc)
	if err != nil {
		return err
	}
	raw, err := gowsdl(modfile, clean)
	if err != nil {
		return err
	}
	src, err := rewrite(raw, doc, pkg, filepath.Base(path))
	if err != nil {
		return err
	}
	file := filepath.Join(out, "types_gen.go")
	if check {
		have, err := os.ReadFile(file)
		if err == nil && !bytes.Equal(have, src) {
			err = fmt.Errorf("%s is not what %s gives: run go generate", file, filepath.Base(path))
		}
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, src, 0o644); err != nil {
		return err
	}
	build := exec.Command("go", "build", ".")
	build.Dir = out
	if msg, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("the result does not compile: %v\n%s", err, msg)
	}
	return nil
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

// rewrite builds the final source from gowsdl's.
func rewrite(raw []byte, doc *wsdldoc.Document, pkg, source string) ([]byte, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "raw.go", raw, parser.SkipObjectResolution)
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
	var b bytes.Buffer
	usesXSD := false
	var body bytes.Buffer
	for _, m := range msgs {
		st := structs[m.goName]
		if st == nil {
			return nil, fmt.Errorf("gowsdl wrote no struct %s", m.goName)
		}
		text, xsd, err := emitStruct(m, st)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.goName, err)
		}
		usesXSD = usesXSD || xsd
		body.WriteString(text)
	}
	fmt.Fprintf(&b, "// Code generated by wsdlfix and gowsdl v0.5.0 from %s. DO NOT EDIT.\n\n", source)
	fmt.Fprintf(&b, "// Package %s holds the raw types and the operation table of %s.\n", pkg, doc.Service)
	fmt.Fprintf(&b, "package %s\n\nimport (\n\t\"encoding/xml\"\n\n\t\"github.com/ictmedia/schoolmail/internal/soap\"\n",
		pkg)
	if usesXSD {
		b.WriteString("\t\"github.com/ictmedia/schoolmail/internal/xsd\"\n")
	}
	fmt.Fprintf(&b, ")\n\n// Service is the name of the service, Namespace that of its wrapper elements.\nconst (\n\tService = %q\n\tNamespace = %q\n)\n\n", doc.Service, doc.TargetNamespace)
	emitOperations(&b, doc)
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
	fmt.Fprintf(b, "// Operations lists the operations of %s in the order of its WSDL.\nvar Operations = []*soap.Operation{\n", doc.Service)
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
