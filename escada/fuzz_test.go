package escada_test

import (
	"archive/zip"
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// wellFormed checks what holds of any delivery, whatever was read.
func wellFormed(t *testing.T, d *schoolmail.Delivery, err error) {
	t.Helper()
	if err != nil {
		if d.Records != nil || d.Rejected != nil {
			t.Error("a delivery with an error")
		}
		return
	}
	shielded := map[schoolmail.RecordKey]bool{}
	for _, x := range d.Rejected {
		if x.Reason == "" || x.File == "" || x.Kind == "" {
			t.Errorf("rejection %+v", x)
		}
		if !x.Harmless {
			shielded[x.Key] = true
		}
	}
	for i, r := range d.Records {
		if i > 0 && d.Records[i-1].Key.Compare(r.Key) >= 0 {
			t.Error("records are not sorted by key")
		}
		if r.GivenName == "" || r.FamilyName == "" || !r.Role.Valid() || len(r.Memberships) == 0 {
			t.Errorf("incomplete record %+v", r)
		}
		if shielded[r.Key] {
			t.Errorf("%s is delivered and shielded", r.Key)
		}
	}
}

// FuzzProfile feeds anything to the reader of profiles; what it takes can be
// written and read again, and reads exports without harm.
func FuzzProfile(f *testing.F) {
	for _, name := range escada.Starters() {
		text, err := escada.StarterText(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("delimiter = \"\\t\"\nwhere = [{ title = \"Klasse\", matches = \"^[3-9]\" }]\n")
	f.Add("[[file]]\nmatch = [\"*.csv\"]\ntitles = [\"a\", \"b\"]\n[file.fields]\nid = { title = \"a\", " +
		"split = \",\", part = -1 }\n" +
		"role = { constant = \"S\" }\nfamily_name = { title = \"b\" }\ngiven_name = { title = \"b\" }\nschool " +
		"= { file_name = \"(x)\" }\n")
	export := fstest.MapFS{"x.csv": {Data: []byte(head + with("Klasse", "4b"))},
		"users.csv": {Data: []byte("sourcedId\n1\n")}}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := escada.ParseProfile([]byte(text))
		if err != nil {
			return
		}
		out, err := p.TOML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := escada.ParseProfile(out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, out)
		}
		second, err := again.TOML()
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(string(out), string(second)); diff != "" {
			t.Error(diff)
		}
		d, err := escada.Read(t.Context(), export, &escada.Options{Profile: p})
		wellFormed(t, &d, err)
	})
}

// FuzzZip feeds anything to the reader of archives.
func FuzzZip(f *testing.F) {
	add := func(files map[string]string) {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			x, err := w.Create(name)
			if err != nil {
				f.Fatal(err)
			}
			if _, err := x.Write([]byte(files[name])); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	add(map[string]string{"export.csv": head + with("Klasse", "4b")})
	add(map[string]string{"a/export.csv": head + with("Klasse", "4b"), "SHA256SUMS": "00  export.csv\n", "~$x.csv": "x"})
	add(map[string]string{"../x.csv": "x", "y.zip": "PK"})
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := fstest.MapFS{"x.zip": &fstest.MapFile{Data: data}}
		d, err := escada.Read(t.Context(), fsys, &escada.Options{MaxFileBytes: 1 << 20})
		wellFormed(t, &d, err)
	})
}

// FuzzXML feeds anything to the reader of XML.
func FuzzXML(f *testing.F) {
	profile, err := escada.Starter("ech-0260")
	if err != nil {
		f.Fatal(err)
	}
	const row = "<schoolAttendance><personIdentification><localPersonId><personId>7</personId></localPersonId>" +
		"<officialName>Abel</officialName><firstName>Ida</firstName></personIdentification><schoolId>BSX1</schoolId>" +
		"<schoolYearDetails><className>1a</className></schoolYearDetails></schoolAttendance>"
	f.Add([]byte("<?xml version=\"1.0\"?><message>" + row + row + "</message>"))
	f.Add([]byte("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><m:message xmlns:m=\"x\">" + row + "</m:message>"))
	f.Add([]byte("<message>" + row[:90]))
	f.Add([]byte("<!DOCTYPE x><x>&lt;</x>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := escada.Read(t.Context(), fstest.MapFS{"x.xml": &fstest.MapFile{Data: data}},
			&escada.Options{Profile: profile})
		wellFormed(t, &d, err)
	})
}

// FuzzLayout feeds anything to files that refer to one another.
func FuzzLayout(f *testing.F) {
	profile, err := escada.Starter("sds-2.1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("sourcedId,username,givenName,familyName,phone\n1,u,Ida,Abel,\n",
		"userSourcedId,orgSourcedId,role,grade\n1,s,student,3\n2,s,teacher,\n",
		"sourcedId,orgSourcedId,title\nc,s,3a\n", "classSourcedId,userSourcedId,role\nc,1,student\nx,1,student\n")
	f.Fuzz(func(t *testing.T, users, roles, classes, enrollments string) {
		fsys := fstest.MapFS{}
		for name, text := range map[string]string{"users": users, "roles": roles, "classes": classes,
			"enrollments": enrollments} {
			fsys[name+".csv"] = &fstest.MapFile{Data: []byte(text)}
		}
		d, err := escada.Read(t.Context(), fsys, &escada.Options{Profile: profile, IdentityKey: []byte("0123456789abcdef")})
		wellFormed(t, &d, err)
	})
}

// FuzzDescribe has anything described; the profile that comes out is one, and reads
// what was described without harm.
func FuzzDescribe(f *testing.F) {
	f.Add("x.csv", []byte(head+with("Klasse", "4b")+with("PersonId", "18")))
	f.Add("users.csv", []byte("sourcedId,username,givenName,familyName\n1,u,Ida,Abel\n2,v,\"Udo\nJo\",Boll\n"))
	f.Add("schueler.csv", []byte("sep=;\r\n4711;Abel;Ida;01.02.2015;3a,3b\r\n4712;Boll;Udo;31.12.2014;3a\r\n"))
	f.Add("x.xml", []byte("<?xml version=\"1.0\"?><a><b>1</b><b>2</b></a>"))
	f.Add("x.csv", []byte("\xff\xfea\x00;\x00b\x00\n\x00"))
	f.Add("x.txt", []byte("a;b\rM\xfcller;\x81\r"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		switch name { // others would be about file systems
		case "users.csv", "schueler.csv", "x.xml", "x.txt", "x.zip":
		default:
			name = "x.csv"
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, show := range []bool{false, true} {
			d, err := escada.Describe(t.Context(), []string{path}, &escada.DescribeOptions{Rows: 50, ShowValues: show})
			if err != nil {
				return
			}
			if _, err := d.Text(); err != nil {
				t.Fatal(err)
			}
			text, err := d.ProfileText()
			if err != nil {
				t.Fatal(err)
			}
			p, err := escada.ParseProfile(text)
			if err != nil && len(d.Open) == 0 {
				t.Fatalf("%v\n%s", err, text)
			}
			if err != nil { // somebody has to fill it in first
				continue
			}
			got, err := escada.ReadFiles(t.Context(), []string{path}, &escada.Options{Profile: p, MaxFileBytes: 1 << 20})
			wellFormed(t, &got, err)
		}
	})
}
