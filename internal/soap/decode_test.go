package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/internal/xsd"
)

// TestNilMatrix: absent, nil, empty, zero and set, for each kind of field.
func TestNilMatrix(t *testing.T) {
	t.Parallel()
	const null = ` xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"`
	day := xsd.Date{Year: 2016, Month: 4, Day: 18, Zone: "Z"}
	for _, tt := range []struct {
		name, in string
		want     user
		bad      bool
	}{
		{"string absent", ``, user{}, false},
		{"string nil", `<name` + null + `/>`, user{}, false},
		{"string nil with 1", `<name xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="1"/>`, user{}, false},
		{"string nil with content", `<name` + null + `>x<y>z</y></name>`, user{}, false},
		{"string not nil", `<name xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="false">x</name>`,
			user{Name: new("x")}, false},
		{"nil of another namespace", `<name xmlns:i="urn:i" i:nil="true">x</name>`, user{Name: new("x")}, false},
		{"nil without namespace", `<name nil="true">x</name>`, user{Name: new("x")}, false},
		{"string empty", `<name/>`, user{Name: new("")}, false},
		{"string empty, two tags", `<name></name>`, user{Name: new("")}, false},
		{"string blank", `<name> </name>`, user{Name: new(" ")}, false},
		{"string set", `<name>Zoë &amp; &#x5c0f; <![CDATA[<b>]]></name>`, user{Name: new("Zoë & 小 <b>")}, false},
		{"string with comment", `<name>a<!-- no -->b</name>`, user{Name: new("ab")}, false},
		{"string with lines", "<name>a\r\nb\rc\nd</name>", user{Name: new("a\nb\nc\nd")}, false},
		{"int nil", `<id` + null + `></id>`, user{}, false},
		{"int nil with white space", `<id` + null + `>
   </id>`, user{}, false},
		{"nil after nil", `<id` + null + `/><day` + null + `/><name` + null + `/><quota>1</quota><sub><id` + null +
			`/></sub>`, user{Quota: new(int64(1)), Sub: &user{}}, false},
		{"nil by an outer prefix",
			`<sub xmlns:j="http://www.w3.org/2001/XMLSchema-instance"><name ` +
				`xmlns:i="http://www.w3.org/2001/XMLSchema-instance" j:nil="true"/>` +
				`<sub xmlns:j="urn:j"><name xmlns:i="http://www.w3.org/2001/XMLSchema-instance" j:nil="true"/></sub></sub>`,
			user{Sub: &user{Sub: &user{Name: new("")}}}, false},
		{"int empty", `<id/>`, user{}, true},
		{"int zero", `<id>0</id>`, user{Id: new(int32(0))}, false},
		{"int set", `<id> -7 </id>`, user{Id: new(int32(-7))}, false},
		{"int too large", `<id>2147483648</id>`, user{}, true},
		{"long set", `<quota>2147483648</quota>`, user{Quota: new(int64(2147483648))}, false},
		{"long nil", `<quota` + null + `/>`, user{}, false},
		{"bool false", `<on>false</on>`, user{On: new(false)}, false},
		{"bool 1", `<on>1</on>`, user{On: new(true)}, false},
		{"bool empty", `<on/>`, user{}, true},
		{"bool nil", `<on` + null + `/>`, user{}, false},
		{"date set", `<day>2016-04-18Z</day>`, user{Day: &day}, false},
		{"date nil", `<day` + null + `/>`, user{}, false},
		{"date empty", `<day/>`, user{}, true},
		{"bytes", `<image>aGk=</image>`, user{Image: xsd.Base64("hi")}, false},
		{"bytes nil", `<image` + null + `/>`, user{}, false},
		{"strings", `<alias>a</alias><alias/><alias` + null + `/><alias>b</alias>`, user{Alias: []string{"a", "", "b"}},
			false},
		{"numbers", `<number>1</number><number` + null + `/><number>0</number>`, user{Number: []int32{1, 0}}, false},
		{"struct nil", `<sub` + null + `/>`, user{}, false},
		{"struct empty", `<sub/>`, user{Sub: &user{}}, false},
		{"struct set", `<sub><id>1</id></sub>`, user{Sub: &user{Id: new(int32(1))}}, false},
		{"structs", `<subs/><subs` + null + `/><subs><name>x</name></subs>`, user{Subs: []*user{{}, {Name: new("x")}}},
			false},
		{"any", `<any xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="x">text<more/></any>`,
			user{Any: &xsd.Any{Text: "text"}}, false},
		{"unknown element", `<new><name>no</name></new><name>x</name>`, user{Name: new("x")}, false},
		{"known name in another namespace", `<name xmlns="urn:x">no</name>`, user{}, false},
		{"any order", `<quota>1</quota><name>x</name><alias>a</alias>`,
			user{Name: new("x"), Quota: new(int64(1)), Alias: []string{"a"}}, false},
	} {
		for _, layout := range []string{"compact", "pretty"} {
			t.Run(tt.name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				in := tt.in
				if layout == "pretty" {
					in = "\n  " + strings.ReplaceAll(in, " xmlns:i", "\n    xmlns:i") + "\n"
				}
				body := envelope(`<s:createResponse xmlns:s="urn:s" xmlns="urn:d"><s:return>` + in +
					`</s:return></s:createResponse>`)
				var got createResponse
				err := decodeAnswer(opCreate, strings.NewReader(body), &got, 200, 1<<20)
				if tt.bad {
					var p *ProtocolError
					if !errors.As(err, &p) {
						t.Fatalf("got %+v, %v, want a ProtocolError", got.Return_, err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(&tt.want, got.Return_); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"nothing":              ``,
		"text":                 `hello`,
		"no end":               `<a>`,
		"wrong end":            `<a></b>`,
		"wrong nesting":        `<a><b></a></b>`,
		"prefix differs":       `<x:a xmlns:x="u" xmlns:y="u"></y:a>`,
		"undeclared prefix":    `<x:a/>`,
		"undeclared attr":      `<a x:b="1"/>`,
		"repeated attribute":   `<a b="1" b="2"/>`,
		"no quotes":            `<a b=1/>`,
		"no value":             `<a b/>`,
		"no space":             `<a b="1"c="2"/>`,
		"< in attribute":       `<a b="<"/>`,
		"unknown entity":       `<a>&nbsp;</a>`,
		"entity without end":   `<a>&amp</a>`,
		"bad reference":        `<a>&#0;</a>`,
		"control character":    "<a>\x01</a>",
		"broken utf-8":         "<a>\xff</a>",
		"]]> in text":          `<a>]]></a>`,
		"-- in comment":        `<a><!-- -- --></a>`,
		"doctype":              `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`,
		"second root":          `<a/><b/>`,
		"text behind root":     `<a/>b`,
		"cut in tag":           `<a><b `,
		"cut in comment":       `<a><!-- `,
		"cut in cdata":         `<a><![CDATA[ `,
		"cut in text":          `<a>text`,
		"other encoding":       `<?xml version="1.0" encoding="ISO-8859-1"?><a/>`,
		"other version":        `<?xml version="1.1"?><a/>`,
		"late declaration":     `<a/><?xml version="1.0"?>`,
		"unbound default":      `<a xmlns:x=""/>`,
		"xml bound elsewhere":  `<a xmlns:xml="urn:x"/>`,
		"name with digit":      `<1a/>`,
		"two colons":           `<a:b:c xmlns:a="u"/>`,
		"deep":                 strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65),
		"end tag with content": `<a></a b>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, chunk := range []int{1, 3, 1 << 20} {
				s := newScanner(&chunked{[]byte(in), chunk}, 1<<20)
				var err error
				for err == nil {
					_, err = s.next()
				}
				if err == io.EOF {
					t.Errorf("read to the end in chunks of %d", chunk)
				}
			}
		})
	}
}

// chunked gives n bytes at a time.
type chunked struct {
	b []byte
	n int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.b[:min(c.n, len(c.b))])
	c.b = c.b[n:]
	return n, nil
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"text":    "<a>" + strings.Repeat("x", 200<<10),
		"tag":     "<a " + strings.Repeat("x", 200<<10),
		"comment": "<a><!--" + strings.Repeat("x", 200<<10),
		"cdata":   "<a><![CDATA[" + strings.Repeat("x", 200<<10),
		"end tag": "<a></a" + strings.Repeat(" ", 200<<10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScanner(&chunked{[]byte(in), 1000}, 100<<10)
			var err error
			for err == nil {
				_, err = s.next()
			}
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("got %v, want ErrTooLarge", err)
			}
		})
	}
}

// oracle decodes with encoding/xml, behind a filter that skips nil elements.
func oracle(data []byte) (*createResponse, error) {
	d := xml.NewTokenDecoder(&nilFilter{xml.NewDecoder(bytes.NewReader(data))})
	var doc struct {
		XMLName xml.Name `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
		Body    struct {
			Response *createResponse
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	for {
		if _, err := d.Token(); err == io.EOF {
			return doc.Body.Response, nil
		} else if err != nil {
			return nil, err
		}
	}
}

type nilFilter struct{ d *xml.Decoder }

func (f *nilFilter) Token() (xml.Token, error) {
	for {
		tok, err := f.d.Token()
		start, ok := tok.(xml.StartElement)
		if err != nil || !ok {
			return tok, err
		}
		skip := false
		for _, a := range start.Attr {
			v := strings.TrimSpace(a.Value)
			skip = skip || a.Name.Space == instanceSpace && a.Name.Local == "nil" && (v == "true" || v == "1")
		}
		if !skip {
			return tok, nil
		}
		if err := f.d.Skip(); err != nil {
			return nil, err
		}
	}
}

// FuzzDecode holds the scanner against encoding/xml: what both read is the same,
// and what encoding/xml refuses is refused.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`<return><d:id>3</d:id><d:name xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/></return>`,
		`<return><d:alias>a</d:alias><d:alias/><d:day>2016-04-18Z</d:day><d:on>true</d:on><d:number>1</d:number></return>`,
		`<return><d:name>a&lt;b&#x41;<![CDATA[<x>]]>]] &gt;</d:name><!-- c --><d:sub><d:name> x </d:name></d:sub></return>`,
		"<return ><d:name >\r\n x</d:name\n><?pi x?></return>",
		`<return xmlns:d="urn:x"><d:id>1</d:id></return><return xmlns:e='urn:d'><e:id>1</e:id><e:image>aGk=</e:image>` +
			`</return>`,
		`<return><d:name a="b" b='c&quot;'>é小</d:name></return>`,
		strings.ReplaceAll(`<return><d:dayN/><d:idN/><d:nameN/><d:subN/><i:idN/><x:idN/><idN/><d:id>1</d:id><d:nameN>`+
			`</d:name></return>`, "N",
			` xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"`),
		`<return xmlns:j="http://www.w3.org/2001/XMLSchema-instance"><d:day ` +
			`xmlns:i="http://www.w3.org/2001/XMLSchema-instance" j:nil="true"/>` +
			`<d:sub xmlns:j="urn:j"><d:name xmlns:i="http://www.w3.org/2001/XMLSchema-instance" j:nil="true"/></d:sub></return>`,
	} {
		f.Add([]byte(envelope(`<createResponse xmlns="urn:s" xmlns:d="urn:d">`+body+`</createResponse>`)), 7)
	}
	f.Add([]byte(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"+envelope("")), 1)
	f.Fuzz(func(t *testing.T, data []byte, chunk int) {
		var got createResponse
		err := decodeAnswer(opCreate, &chunked{data, 1 + chunk&0xff}, &got, 200, 1<<20)
		if err == nil {
			want, xmlErr := oracle(data)
			if xmlErr != nil {
				t.Fatalf("encoding/xml refuses what we read: %v", xmlErr)
			}
			want.XMLName = xml.Name{}
			if diff := cmp.Diff(want, &got); diff != "" {
				t.Fatal(diff)
			}
			return
		}
		// Reading must not depend on how the document is cut into pieces.
		var again createResponse
		if err2 := decodeAnswer(opCreate, bytes.NewReader(data), &again, 200, 1<<20); err2 == nil ||
			err2.Error() != err.Error() {
			t.Fatalf("in pieces: %v\nin one: %v", err, err2)
		}
		// What encoding/xml reads, we read, unless we are stricter on purpose.
		var syntax *syntaxError
		if _, xmlErr := oracle(data); xmlErr == nil && errors.As(err, &syntax) && !syntax.stricter {
			t.Fatalf("encoding/xml reads what we refuse: %v", err)
		}
	})
}

func TestRequestRoundTrip(t *testing.T) {
	t.Parallel()
	in := &create{
		User: &user{Alias: []string{"a", "<&>"}, Day: &xsd.Date{Year: 2001, Month: 2, Day: 3}, Id: new(int32(0)),
			Name: new("Zoë\r\n\"x\""),
			On:   new(false), Image: xsd.Base64("\x00\xff"), Number: []int32{3, 1}, Subs: []*user{{}, {Name: new("")}}},
		Auth: &auth{Login: new("l"), Password: new("p"), Limit: -1},
	}
	b, err := EncodeRequest(opCreate, in)
	if err != nil {
		t.Fatal(err)
	}
	op, out, fault := NewRequestDecoder("urn:s", []*Operation{opCreate, opChange}).Decode(b)
	if fault != nil || op != opCreate {
		t.Fatalf("got %v, %v", op, fault)
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Errorf("%s\n%s", diff, b)
	}
	if _, err := EncodeRequest(opCreate, &create{User: &user{Name: new("a\x01")}}); err == nil {
		t.Error("a control character was sent")
	}
	if _, err := EncodeRequest(opCreate, &change{}); err == nil {
		t.Error("the request of another operation was sent")
	}
}

// FuzzText: a text that can be sent arrives as it was, and one that cannot is an error.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "Zoë <&>\"'", "\r\n\t", "]]>", "\x00", "\xff", "\uFFFE", "\U0001F600"} {
		f.Add(s)
	}
	dec := NewRequestDecoder("urn:s", []*Operation{opCreate})
	f.Fuzz(func(t *testing.T, text string) {
		in := &create{User: &user{Name: &text, Alias: []string{text, ""}}}
		b, err := EncodeRequest(opCreate, in)
		sendable := utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !isChar(r) })
		if (err == nil) != sendable {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		_, out, fault := dec.Decode(b)
		if fault != nil {
			t.Fatal(fault)
		}
		if diff := cmp.Diff(in, out); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEncodeResponse(t *testing.T) {
	t.Parallel()
	got, err := EncodeResponse(opCreate, &createResponse{Return_: &user{Id: new(int32(3)), Alias: []string{"a"}}})
	if err != nil {
		t.Fatal(err)
	}
	n := func(name string) string {
		return `<a:` + name + ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>`
	}
	want := envelope(`<createResponse xmlns="urn:s" xmlns:a="urn:d"><return><a:alias>a</a:alias>` + n("day") +
		`<a:id>3</a:id>` + n("name") +
		n("quota") + n("image") + n("sub") + n("any") + `</return></createResponse>`)
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, err = EncodeResponse(opChange, nil); err != nil || string(got) != envelope("") {
		t.Errorf("void: got %s, %v", got, err)
	}
}

func TestRequestFaults(t *testing.T) {
	t.Parallel()
	d := NewRequestDecoder("urn:s", []*Operation{opCreate, opChange})
	d.Refuse = func(goType, element string) bool { return goType == "user" && element == "image" }
	for _, tt := range []struct{ name, in, code, text string }{
		{"any order, no namespace",
			envelope(`<s:create xmlns:s="urn:s"><auth><limit>1</limit></auth><user><name>x</name><clusterWeight>` +
				`1</clusterWeight></user></s:create>`), "", ""},
		{"unparseable boolean is dropped",
			envelope(`<create xmlns="urn:s"><user><on xmlns="urn:d">yes</on></user></create>`), "", ""},
		{"nil", envelope(`<create xmlns="urn:s"><user xmlns:i="http://www.w3.org/2001/XMLSchema-instance" ` +
			`i:nil="true"><what/></user></create>`), "", ""},
		{"unknown child", envelope(`<create xmlns="urn:s"><x/></create>`), "Client",
			`Unmarshalling Error: unexpected element (uri:"urn:s", local:"x"). Expected elements are `},
		{"wrong namespace", envelope(`<create xmlns="urn:s"><user><name/></user></create>`), "Client",
			`Unmarshalling Error: unexpected element (uri:"urn:s", local:"name"). Expected elements are `},
		{"refused by version", envelope(`<create xmlns="urn:s"><user><image xmlns="urn:d"/></user></create>`), "Client",
			`Unmarshalling Error: unexpected element (uri:"urn:d", local:"image"). Expected elements are `},
		{"unknown child, void", envelope(`<change xmlns="urn:s"><x/></change>`), "Client",
			`Unmarshalling Error: unexpected element (uri:"urn:s", local:"x"). Expected elements are <{urn:s}user> `},
		{"element in text", envelope(`<create xmlns="urn:s"><user><name xmlns="urn:d"><b/></name></user></create>`), "Client",
			`Unmarshalling Error: unexpected element (uri:"urn:d", local:"b"). Expected elements are `},
		{"bad int", envelope("<create xmlns=\"urn:s\"><user>\n<id xmlns=\"urn:d\">abc</id></user></create>"), "Client",
			`Unmarshalling Error: Not a number: abc`},
		{"empty int", envelope("<create xmlns=\"urn:s\"><user><id xmlns=\"urn:d\"/></user></create>"), "", ""},
		{"bad int, void", envelope(`<change xmlns="urn:s"><user><id xmlns="urn:d">abc</id></user></change>`), "Client",
			`Unmarshalling Error: Not a number: abc`},
		{"unknown operation", envelope(`<nothing xmlns="urn:s"/>`), "Client", "NO_PART_FOUND"},
		{"operation of another namespace", envelope(`<create xmlns="urn:t"/>`), "Client", "UNEXPECTED_WRAPPER_ELEMENT"},
		{"empty body", envelope(``), "Server",
			"No binding operation info while invoking unknown method with params unknown."},
		{"no body", `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"/>`, "Server",
			"No binding operation info"},
		{"soap 1.2", `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"/>`, "VersionMismatch",
			"A SOAP 1.2 message is not valid when sent to a SOAP 1.1 only endpoint."},
		{"no envelope", `<a/>`, "VersionMismatch", `No namespace on "a" element. You must send a SOAP message.`},
		{"broken", `<e:Envelope`, "Client", "Error reading XMLStreamReader"},
		{"nothing", ``, "Client", "Error reading XMLStreamReader"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, req, fault := d.Decode([]byte(tt.in))
			switch {
			case tt.code == "" && (fault != nil || req == nil):
				t.Fatalf("got %v, %v", req, fault)
			case tt.code == "":
			case fault == nil || fault.Code != tt.code || !strings.HasPrefix(fault.Message, tt.text) || fault.Kind != "":
				t.Errorf("got %+v", fault)
			}
		})
	}
}

func TestFaultRoundTrip(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "StorageException", "InvalidDataException", "RemoteException",
		"InterruptedException"} {
		for _, rich := range []bool{false, true} {
			in := &Fault{Op: opCreate, Code: "Server", Kind: kind, Message: "a <b>", ExceptionIDs: []string{"-1-2", "3-4"},
				Status: 500}
			b := EncodeFault(in, FaultStyle{Namespace: "urn:s", Rich: rich})
			var got *Fault
			if err := decodeAnswer(opCreate, bytes.NewReader(b), new(createResponse), 500, 1<<20); !errors.As(err, &got) {
				t.Fatalf("%s: got %v", kind, err)
			}
			if diff := cmp.Diff(in.Error(), got.Error()); diff != "" || got.Status != 500 {
				t.Error(diff)
			}
		}
	}
	b := EncodeFault(&Fault{Kind: "StorageException"}, FaultStyle{Namespace: "urn:s", NoDetail: true})
	if bytes.Contains(b, []byte("detail")) {
		t.Errorf("detail in %s", b)
	}
}
