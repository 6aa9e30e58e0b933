// Package xsd holds the few XML Schema simple types that Go has no type for:
// [Date] and [DateTime], which remember whether a zone was written, [Base64]
// for binary content, and [Any] for elements of type xs:anyType.
//
// All of them implement [encoding.TextMarshaler] and
// [encoding.TextUnmarshaler], so encoding/xml and the codec of package soap
// read and write them alike. Formats follow XML Schema Part 2 (second
// edition), sections 3.2.7, 3.2.9 and 3.2.16.
package xsd

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// Date is a calendar day, xs:date: "2016-04-18", "2016-04-18Z" or
// "2016-04-18+02:00". The zone has no meaning for a birthday; it is kept as
// written so that a value survives a round trip.
type Date struct {
	Year  int
	Month time.Month
	Day   int
	// Zone is "", "Z" or an offset such as "+02:00".
	Zone string
}

// DateOf returns the day of t in t's own location, without a zone.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{Year: y, Month: m, Day: d}
}

// ParseDate reads an xs:date. A text of type xs:dateTime is taken too and its
// time of day dropped, as servers built on JAXB do. Years have four digits.
func ParseDate(s string) (Date, error) {
	s = trimSpace(s)
	day, rest := s, ""
	if len(s) > 10 {
		day, rest = s[:10], s[10:]
	}
	t, err := time.Parse("2006-01-02", day)
	if err != nil || t.Year() == 0 {
		return Date{}, fmt.Errorf("xsd: %q is not a date", s)
	}
	if strings.HasPrefix(rest, "T") {
		dt, err := ParseDateTime(s)
		if err != nil {
			return Date{}, fmt.Errorf("xsd: %q is not a date", s)
		}
		if dt.HasZone {
			rest = zoneText(dt.Time)
		} else {
			rest = ""
		}
	}
	if !validZone(rest) {
		return Date{}, fmt.Errorf("xsd: %q is not a date: bad zone", s)
	}
	return Date{Year: t.Year(), Month: t.Month(), Day: t.Day(), Zone: rest}, nil
}

// IsZero reports whether d is the zero Date, which stands for no day at all.
func (d Date) IsZero() bool { return d == Date{} }

// String returns the day as xs:date, or "" for the zero Date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d%s", d.Year, int(d.Month), d.Day, d.Zone)
}

// Time returns the beginning of the day in loc.
func (d Date) Time(loc *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
}

// MarshalText writes xs:date.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads xs:date; see [ParseDate].
func (d *Date) UnmarshalText(b []byte) error {
	v, err := ParseDate(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// DateTime is a moment, xs:dateTime. Without a zone it is a wall clock time,
// kept in UTC with HasZone false.
type DateTime struct {
	time.Time
	HasZone bool
}

// ParseDateTime reads an xs:dateTime with or without zone and fraction.
func ParseDateTime(s string) (DateTime, error) {
	s = trimSpace(s)
	if t, err := time.Parse("2006-01-02T15:04:05.999999999", s); err == nil {
		return DateTime{Time: t}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !validZone(s[len(s)-min(len(s), 6):]) && !strings.HasSuffix(s, "Z") {
		return DateTime{}, fmt.Errorf("xsd: %q is not a dateTime", s)
	}
	return DateTime{Time: t, HasZone: true}, nil
}

// String returns the moment as xs:dateTime, or "" for the zero DateTime.
func (d DateTime) String() string {
	if d.Time.IsZero() && !d.HasZone {
		return ""
	}
	s := d.Format("2006-01-02T15:04:05.999999999")
	if d.HasZone {
		s += zoneText(d.Time)
	}
	return s
}

// MarshalText writes xs:dateTime.
func (d DateTime) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads xs:dateTime.
func (d *DateTime) UnmarshalText(b []byte) error {
	v, err := ParseDateTime(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Base64 is the content of an xs:base64Binary element, decoded. Nil means
// that there is no element.
type Base64 []byte

// MarshalText writes standard base64.
func (b Base64) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText reads standard base64, with white space between the digits.
func (b *Base64) UnmarshalText(text []byte) error {
	clean := make([]byte, 0, len(text))
	for _, c := range text {
		if !isSpace(c) {
			clean = append(clean, c)
		}
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(clean)))
	n, err := base64.StdEncoding.Strict().Decode(out, clean)
	if err != nil {
		return fmt.Errorf("xsd: not base64Binary: %w", err)
	}
	*b = out[:n]
	return nil
}

// Any is an element of type xs:anyType, of which only the character data at
// its own level is kept.
type Any struct {
	Text string `xml:",chardata"`
}

func zoneText(t time.Time) string {
	if _, off := t.Zone(); off == 0 {
		return "Z"
	}
	return t.Format("-07:00")
}

// validZone accepts "", "Z" and ±hh:mm up to 14:00.
func validZone(z string) bool {
	if z == "" || z == "Z" {
		return true
	}
	if len(z) != 6 || z[0] != '+' && z[0] != '-' || z[3] != ':' {
		return false
	}
	for _, i := range []int{1, 2, 4, 5} {
		if z[i] < '0' || z[i] > '9' {
			return false
		}
	}
	h, m := int(z[1]-'0')*10+int(z[2]-'0'), int(z[4]-'0')*10+int(z[5]-'0')
	return m < 60 && (h < 14 || h == 14 && m == 0)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// trimSpace removes XML white space only.
func trimSpace(s string) string { return strings.Trim(s, " \t\r\n") }
