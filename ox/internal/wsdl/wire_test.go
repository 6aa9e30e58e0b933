package wsdl_test

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/internal/xsd"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
	"github.com/ictmedia/schoolmail/ox/internal/oxresource"
	"github.com/ictmedia/schoolmail/ox/internal/oxsecaccount"
	"github.com/ictmedia/schoolmail/ox/internal/oxtask"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
	"github.com/ictmedia/schoolmail/ox/internal/oxutil"
	"github.com/ictmedia/schoolmail/ox/internal/wsdl"
)

var update = flag.Bool("update", false, "write the golden files anew")

// tables are the generated operation tables.
var tables = map[string][]*soap.Operation{
	oxcontext.Service: oxcontext.Operations, oxgroup.Service: oxgroup.Operations,
	oxresource.Service:   oxresource.Operations,
	oxsecaccount.Service: oxsecaccount.Operations, oxtask.Service: oxtask.Operations, oxuser.Service: oxuser.Operations,
	oxusercopy.Service: oxusercopy.Operations, oxutil.Service: oxutil.Operations,
}

// fill sets the fields of a generated struct to made-up values. With all unset,
// a struct below the wrapper gets one field of each type only, to keep goldens
// short. Lists get two entries.
func fill(v reflect.Value, all bool, depth int) {
	seen := map[reflect.Type]bool{}
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Type() == reflect.TypeFor[xml.Name]() || !all && depth > 0 && seen[f.Type()] {
			continue
		}
		seen[f.Type()] = true
		switch p := f.Addr().Interface().(type) {
		case **string:
			*p = new("text <&> ü")
		case **int32:
			*p = new(int32(-7))
		case **int64:
			*p = new(int64(1) << 40)
		case *int64:
			*p = 5
		case **bool:
			*p = new(false)
		case *[]string:
			*p = []string{"one", ""}
		case *[]int32:
			*p = []int32{1, 0}
		case **xsd.Date:
			*p = &xsd.Date{Year: 2010, Month: 5, Day: 4, Zone: "Z"}
		case *xsd.Base64:
			*p = xsd.Base64("\x00\xffimage")
		case **xsd.Any:
			*p = &xsd.Any{Text: "any"}
		default:
			switch f.Kind() {
			case reflect.Pointer:
				f.Set(reflect.New(f.Type().Elem()))
				fill(f.Elem(), all, depth+1)
			case reflect.Slice:
				for range 2 {
					item := reflect.New(f.Type().Elem().Elem())
					fill(item.Elem(), all, depth+1)
					f.Set(reflect.Append(f, item))
				}
			default:
				panic(fmt.Sprintf("no value for %s", f.Type()))
			}
		}
	}
}

func filled(v any, all bool) any {
	fill(reflect.ValueOf(v).Elem(), all, 0)
	return v
}

// canonical renders a document as one line per element: {namespace}local, and
// the text of leaves.
func canonical(t *testing.T, doc []byte) string {
	t.Helper()
	short := strings.NewReplacer("http://schemas.xmlsoap.org/soap/envelope/", "soap",
		"http://soap.admin.openexchange.com", "S",
		"http://soap.copy.user.admin.openexchange.com", "S", "http://dataobjects.soap.admin.openexchange.com/xsd", "D",
		"http://dataobjects.rmi.admin.openexchange.com/xsd", "R")
	var b strings.Builder
	depth := 0
	text := ""
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			fmt.Fprintf(&b, "%s{%s}%s\n", strings.Repeat("  ", depth), short.Replace(tok.Name.Space), tok.Name.Local)
			depth++
			text = ""
		case xml.CharData:
			text += string(tok)
		case xml.EndElement:
			depth--
			if text != "" {
				s := strings.TrimSuffix(b.String(), "\n") + " " + text + "\n"
				b.Reset()
				b.WriteString(s)
			}
			text = ""
		}
	}
}

// TestRequestGoldens: what each operation sends, name by name.
func TestRequestGoldens(t *testing.T) {
	t.Parallel()
	got := &txtar.Archive{Comment: []byte("One request per operation as it goes over the wire. Every parameter is set; " +
		"of a data type, one field of\n" +
		"each kind. S is the namespace of the service, D that of data objects, R that of credentials.\n" +
		"To renew: go test ./ox/internal/wsdl -update\n\n")}
	for _, name := range wsdl.Services {
		for _, op := range tables[name] {
			doc, err := soap.EncodeRequest(op, filled(op.NewRequest(), false))
			if err != nil {
				t.Fatal(err)
			}
			got.Files = append(got.Files, txtar.File{Name: op.String(), Data: []byte(canonical(t, doc))})
		}
	}
	const path = "testdata/requests.txtar"
	if *update {
		if err := os.WriteFile(path, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(txtar.Format(want)), string(txtar.Format(got))); diff != "" {
		t.Error(diff)
	}
}

// TestRoundTrip: what one side writes, the other reads, field by field.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, name := range wsdl.Services {
		dec := soap.NewRequestDecoder(tables[name][0].Request.Space, tables[name])
		for _, op := range tables[name] {
			in := filled(op.NewRequest(), true)
			doc, err := soap.EncodeRequest(op, in)
			if err != nil {
				t.Fatal(err)
			}
			got, out, fault := dec.Decode(doc)
			if fault != nil || got != op {
				t.Errorf("%s: %v", op, fault)
				continue
			}
			if diff := cmp.Diff(in, out); diff != "" {
				t.Errorf("%s: %s", op, diff)
			}
		}
	}
}

// TestNamesAgainstWSDL checks requests and answers against the documents with
// nothing but Go: every element is declared where it stands.
func TestNamesAgainstWSDL(t *testing.T) {
	t.Parallel()
	for _, name := range wsdl.Services {
		doc, err := wsdl.Document(name)
		if err != nil {
			t.Fatal(err)
		}
		d := parse(t, doc)
		check := func(op *soap.Operation, body []byte) {
			dec := xml.NewDecoder(bytes.NewReader(body))
			type level struct {
				name xml.Name
				typ  xml.Name
			}
			var stack []level
			for {
				tok, err := dec.Token()
				if err == io.EOF {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				switch tok := tok.(type) {
				case xml.StartElement:
					here := level{name: tok.Name}
					if n := len(stack); n >= 2 { // inside Envelope and Body
						up := stack[n-1]
						fields, ok := d.Types[up.typ], true
						if n == 2 {
							_, ok = d.Elements[tok.Name]
						} else {
							list := d.Elements[up.name]
							own := []xml.Name{}
							if n == 3 && list != nil {
								for _, f := range list.Fields {
									own = append(own, f.Name)
									if f.Name == tok.Name {
										here.typ = f.Type
									}
								}
							} else if fields != nil {
								for _, f := range fields.Fields {
									own = append(own, f.Name)
									if f.Name == tok.Name {
										here.typ = f.Type
									}
								}
							}
							ok = here.typ.Local != ""
							if !ok {
								t.Errorf("%s: %v is not among %v", op, tok.Name, own)
							}
						}
						if !ok {
							t.Errorf("%s: %v is not declared", op, tok.Name)
						}
					}
					stack = append(stack, here)
				case xml.EndElement:
					stack = stack[:len(stack)-1]
				}
			}
		}
		for _, op := range tables[name] {
			b, err := soap.EncodeRequest(op, filled(op.NewRequest(), true))
			if err != nil {
				t.Fatal(err)
			}
			check(op, b)
			if !op.Void() {
				if b, err = soap.EncodeResponse(op, op.NewResponse()); err != nil {
					t.Fatal(err)
				}
				check(op, b)
			}
		}
	}
}

var (
	schemaPattern = regexp.MustCompile(`(?s)<xs:schema targetNamespace="([^"]*)".*?</xs:schema>`)
	xmlnsPattern  = regexp.MustCompile(`xmlns:\w+="[^"]*"`)
	importPattern = regexp.MustCompile(`<xs:import namespace="([^"]*)"/>`)
	bodyPattern   = regexp.MustCompile(`(?s)<soap:Body>(.*)</soap:Body>`)
	detailPattern = regexp.MustCompile(`(?s)<detail>(.*)</detail>`)
)

// schemas writes the schemas of a WSDL into files and returns that of the wrappers.
func schemas(t *testing.T, dir, service string) string {
	t.Helper()
	doc, err := wsdl.Document(service)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(doc), "<wsdl:types>")
	declared := strings.Join(xmlnsPattern.FindAllString(head, -1), " ")
	file := map[string]string{}
	found := schemaPattern.FindAllStringSubmatch(string(doc), -1)
	for i, m := range found {
		file[m[1]] = fmt.Sprintf("%s-%d.xsd", service, i)
	}
	for _, m := range found {
		text := strings.Replace(m[0], "<xs:schema ", "<xs:schema "+declared+" ", 1)
		text = importPattern.ReplaceAllStringFunc(text, func(s string) string {
			ns := importPattern.FindStringSubmatch(s)[1]
			return fmt.Sprintf(`<xs:import namespace="%s" schemaLocation="%s"/>`, ns, file[ns])
		})
		if err := os.WriteFile(filepath.Join(dir, file[m[1]]), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, file[found[0][1]])
}

// TestXMLSchema lets xmllint validate requests, answers and fault details of
// every operation against the schemas of the WSDLs.
func TestXMLSchema(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("xmllint"); err != nil {
		lacking.Skip(t, "xmllint (Debian package libxml2-utils)")
	}
	for _, name := range wsdl.Services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := []string{"--noout", "--schema", schemas(t, dir, name)}
			add := func(label string, pattern *regexp.Regexp, doc []byte, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				m := pattern.FindSubmatch(doc)
				if m == nil {
					t.Fatalf("%s: nothing in %s", label, doc)
				}
				path := filepath.Join(dir, label+".xml")
				if err := os.WriteFile(path, m[1], 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, path)
			}
			kinds := map[string]bool{}
			for _, op := range tables[name] {
				doc, err := soap.EncodeRequest(op, filled(op.NewRequest(), true))
				add(op.Name+"-full", bodyPattern, doc, err)
				doc, err = soap.EncodeRequest(op, op.NewRequest())
				add(op.Name+"-empty", bodyPattern, doc, err)
				if !op.Void() {
					doc, err = soap.EncodeResponse(op, filled(op.NewResponse(), true))
					add(op.Name+"-answer", bodyPattern, doc, err)
					doc, err = soap.EncodeResponse(op, filled(op.NewResponse(), false))
					add(op.Name+"-nils", bodyPattern, doc, err)
				}
				for _, k := range op.Faults {
					kinds[k] = true
				}
			}
			rich := name == oxusercopy.Service || name == oxtask.Service
			for k := range kinds {
				doc := soap.EncodeFault(&soap.Fault{Code: "Server", Kind: k, Message: "m"},
					soap.FaultStyle{Namespace: tables[name][0].Request.Space, Rich: rich})
				add("fault-"+k, detailPattern, doc, nil)
			}
			if out, err := exec.Command("xmllint", args...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, lines(out, "fails to validate", "error"))
			}
		})
	}
}

// lines keeps the lines of out that hold one of the words.
func lines(out []byte, words ...string) string {
	var b strings.Builder
	for l := range strings.Lines(string(out)) {
		for _, w := range words {
			if strings.Contains(l, w) {
				b.WriteString(l)
				break
			}
		}
	}
	return b.String()
}
