package schoolmail

import (
	"fmt"
	"time"
)

// Date is a calendar day without time and zone, counted in days since
// 0001-01-01 (which is the zero value and means "no date"). Dates compare
// with < and ==, and read and write as ISO 8601 "2026-08-10".
type Date int32

const dateLayout = "2006-01-02"

var dateEpoch = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)

// NewDate returns the date of a year, month and day; out of range values roll
// over as in [time.Date].
func NewDate(year int, month time.Month, day int) Date {
	return DateOf(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
}

// DateOf returns the day that t shows in its own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	u := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return Date(u.Unix()/86400 - dateEpoch.Unix()/86400)
}

// ParseDate reads "2006-01-02". The empty string is the zero Date.
func ParseDate(s string) (Date, error) {
	if s == "" {
		return 0, nil
	}
	t, err := time.Parse(dateLayout, s)
	if err != nil {
		return 0, fmt.Errorf("schoolmail: date %q: expected YYYY-MM-DD", s)
	}
	return DateOf(t), nil
}

// IsZero reports whether d is "no date".
func (d Date) IsZero() bool { return d == 0 }

// AddDays returns the date n days later.
func (d Date) AddDays(n int) Date { return d + Date(n) }

// Sub returns the number of days from e to d.
func (d Date) Sub(e Date) int { return int(d - e) }

// Time returns midnight UTC of the day.
func (d Date) Time() time.Time { return dateEpoch.AddDate(0, 0, int(d)) }

// String returns the ISO form, or "" for the zero Date.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	return string(d.append(make([]byte, 0, len(dateLayout))))
}

// append appends the ISO form.
func (d Date) append(b []byte) []byte {
	if d == 0 {
		return b
	}
	return d.Time().AppendFormat(b, dateLayout)
}

// MarshalText writes the ISO form.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the ISO form.
func (d *Date) UnmarshalText(b []byte) error {
	v, err := ParseDate(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}
