package xsd

import (
	"encoding/xml"
	"fmt"
	"testing"
	"time"
)

func TestDate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "2016-04-18", "2016-04-18"},
		{"utc", "2016-04-18Z", "2016-04-18Z"},
		{"offset", "2016-04-18+02:00", "2016-04-18+02:00"},
		{"white space", "\n 2016-04-18Z ", "2016-04-18Z"},
		{"dateTime", "2016-04-18T10:11:12", "2016-04-18"},
		{"dateTime with zone", "2016-04-18T10:11:12.5+02:00", "2016-04-18+02:00"},
		{"dateTime utc", "2016-04-18T00:00:00Z", "2016-04-18Z"},
		{"leap day", "2024-02-29", "2024-02-29"},
		{"largest offset", "2016-04-18-14:00", "2016-04-18-14:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := ParseDate(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for _, bad := range []string{"", "2016", "2016-13-01", "2023-02-29", "2016-04-18X", "2016-04-18+2:00",
		"2016-04-18+15:00", "2016-04-18+02:60", "2016-04-18T", "18.04.2016", "0000-01-01", "2016-04-18T25:00:00"} {
		if d, err := ParseDate(bad); err == nil {
			t.Errorf("ParseDate(%q) = %v, want an error", bad, d)
		}
	}
}

func TestDateTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"no zone", "2016-04-18T10:11:12", "2016-04-18T10:11:12"},
		{"utc", "2016-04-18T10:11:12Z", "2016-04-18T10:11:12Z"},
		{"offset and fraction", "2016-04-18T10:11:12.25+02:00", "2016-04-18T10:11:12.25+02:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := ParseDateTime(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for _, bad := range []string{"", "2016-04-18", "2016-04-18T10:11", "2016-04-18T10:11:12+25:00"} {
		if d, err := ParseDateTime(bad); err == nil {
			t.Errorf("ParseDateTime(%q) = %v, want an error", bad, d)
		}
	}
}

func TestInXML(t *testing.T) {
	t.Parallel()
	type doc struct {
		XMLName xml.Name `xml:"doc"`
		Day     *Date    `xml:"day,omitempty"`
		None    *Date    `xml:"none,omitempty"`
		Image   Base64   `xml:"image,omitempty"`
		Any     *Any     `xml:"any,omitempty"`
	}
	in := doc{Day: &Date{Year: 1999, Month: time.December, Day: 31, Zone: "Z"}, Image: Base64("\xff\xd8hi"),
		Any: &Any{Text: "x"}}
	b, err := xml.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	const want = `<doc><day>1999-12-31Z</day><image>/9hoaQ==</image><any>x</any></doc>`
	if string(b) != want {
		t.Fatalf("got %s, want %s", b, want)
	}
	var out doc
	if err := xml.Unmarshal([]byte("<doc><day>1999-12-31Z</day><image>/9ho\n aQ==</image></doc>"), &out); err != nil {
		t.Fatal(err)
	}
	if *out.Day != *in.Day || string(out.Image) != string(in.Image) || out.None != nil {
		t.Errorf("got %+v", out)
	}
	if err := xml.Unmarshal([]byte("<doc><image>!</image></doc>"), &out); err == nil {
		t.Error("broken base64 was taken")
	}
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"2016-04-18", "2016-04-18Z", "2016-04-18+02:00", "2016-04-18T10:11:12.5Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDate(s)
		if err != nil {
			return
		}
		again, err := ParseDate(d.String())
		if err != nil || again != d {
			t.Errorf("%q: %v reads back as %v, %v", s, d, again, err)
		}
	})
}

func ExampleParseDate() {
	d, err := ParseDate("2009-03-14+01:00")
	fmt.Println(d.Year, d.Month, d.Day, err)
	// Output: 2009 March 14 <nil>
}
