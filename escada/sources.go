package escada

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Part is one of several systems that together describe a district: teachers from
// one, pupils from another, the file of a private school.
type Part struct {
	// Prefix stands before the ids of this part's people, and so keeps them apart
	// from those of the others: "hr-". It must not be another part's prefix or the
	// beginning of one. One part may have none, such as the one that was first; an
	// id of its people must not begin with another's prefix.
	Prefix string
	Dir    Dir
	// Schools and Roles are those that this part may speak for; nil: all. A person
	// elsewhere, or in another role, is not taken but shielded.
	Schools []schoolmail.SchoolID
	Roles   []schoolmail.Role
}

// Parts reads several parts as one delivery. It fulfils the Reader of package
// site.
//
// A part that cannot be read, or whose export is not complete, suspends only the
// absences of its own people: those of other parts are read and may leave. The
// people of the part without a prefix are those whose ids begin with no other
// part's prefix. Only when no part can be read is that an error.
type Parts struct {
	Source string // of all record keys; default "escada"
	Parts  []Part

	read []schoolmail.Delivery // by Read, for Accept; Fingerprint is empty where it failed
}

// Validate reports all mistakes of the parts at once, as Errors of kind ErrProfile.
func (p *Parts) Validate() error {
	var errs Errors
	bad := func(format string, args ...any) { errs.add(schoolmail.Position{}, ErrProfile, format, args...) }
	if len(p.Parts) == 0 {
		bad("sources: none")
	}
	for i, x := range p.Parts {
		if x.Prefix != "" && (!validID(x.Prefix) || len(x.Prefix) > 16) {
			bad("source %d: prefix: expected at most 16 ASCII characters without spaces", i+1)
		}
		for j, y := range p.Parts {
			if i != j && (x.Prefix == y.Prefix && i < j || x.Prefix != "" && x.Prefix != y.Prefix &&
				strings.HasPrefix(y.Prefix, x.Prefix)) {
				bad("source %d: prefix %q: it is, or begins, that of source %d", i+1, x.Prefix, j+1)
			}
		}
		for _, r := range x.Roles {
			if !r.Valid() {
				bad("source %d: unknown role %q", i+1, r)
			}
		}
	}
	return errs.err()
}

// Read reads all parts.
func (p *Parts) Read(ctx context.Context, day schoolmail.Date) (schoolmail.Delivery, error) {
	if err := p.Validate(); err != nil {
		return schoolmail.Delivery{}, err
	}
	m := merger{d: schoolmail.Delivery{
		Source: p.Source, Kind: schoolmail.DeliveryFull, RowsBySchool: map[schoolmail.SchoolID]int{},
		Columns: map[string][]string{}, Unknown: map[string][]string{},
	}}
	for i := range p.Parts {
		if prefix := p.Parts[i].Prefix; prefix != "" {
			m.prefixes = append(m.prefixes, prefix)
		}
	}
	if m.d.Source == "" {
		m.d.Source = "escada"
	}
	p.read = make([]schoolmail.Delivery, len(p.Parts))
	var errs Errors
	for i := range p.Parts {
		part := &p.Parts[i]
		d, err := part.Dir.Read(ctx, day)
		if ctx.Err() != nil {
			return schoolmail.Delivery{}, context.Cause(ctx)
		}
		if err != nil {
			list, ok := errors.AsType[Errors](err)
			if !ok {
				return schoolmail.Delivery{}, err
			}
			errs = append(errs, list...)
			m.failed(part, list)
			continue
		}
		p.read[i] = d
		m.add(part, &d)
	}
	if m.parts == 0 {
		return schoolmail.Delivery{}, errs
	}
	return m.delivery(), nil
}

// Accept keeps what the next reading of each part compares with.
func (p *Parts) Accept(*schoolmail.Delivery) error {
	var errs []error
	for i := range p.read {
		if p.read[i].Fingerprint != "" {
			errs = append(errs, p.Parts[i].Dir.Accept(&p.read[i]))
		}
	}
	return errors.Join(errs...)
}

// merger makes one delivery of several.
type merger struct {
	d        schoolmail.Delivery
	parts    int
	sums     []string
	prefixes []string // of the parts that have one
}

// suspend says that the absences of a part's people do not count.
func (m *merger) suspend(part *Part, reason string) {
	s := schoolmail.Suspension{IDPrefix: part.Prefix, Reason: reason}
	if part.Prefix == "" {
		s.Except = slices.Clone(m.prefixes)
	}
	m.d.Suspended = append(m.d.Suspended, s)
}

func (m *merger) failed(part *Part, errs Errors) {
	m.suspend(part, "the source could not be read")
	for _, e := range errs {
		m.d.Rejected = append(m.d.Rejected, schoolmail.Rejection{
			Position: m.position(part, e.Position), Kind: schoolmail.RejectedUnreadable, Reason: e.Error(), Harmless: true,
		})
	}
}

// position names the part's folder with the file.
func (m *merger) position(part *Part, p schoolmail.Position) schoolmail.Position {
	p.File = strings.TrimSuffix(strings.TrimSuffix(part.Prefix, "-")+"/"+p.File, "/")
	p.File = strings.TrimPrefix(p.File, "/")
	return p
}

func (m *merger) add(part *Part, d *schoolmail.Delivery) {
	m.parts++
	m.sums = append(m.sums, part.Prefix+" "+d.Fingerprint)
	if d.Incomplete != "" {
		m.suspend(part, d.Incomplete)
	}
	if d.Kind == schoolmail.DeliveryDelta {
		m.suspend(part, "the source lists only changes")
	}
	for _, f := range d.Files {
		m.d.Files = append(m.d.Files, m.position(part, schoolmail.Position{File: f}).File)
	}
	m.d.Rows += d.Rows
	for school, n := range d.RowsBySchool {
		m.d.RowsBySchool[school] += n
	}
	for sort, titles := range d.Columns {
		m.d.Columns[part.Prefix+sort] = titles
		if unknown := d.Unknown[sort]; len(unknown) > 0 {
			m.d.Unknown[part.Prefix+sort] = unknown
		}
	}
	if d.Written.After(m.d.Written) {
		m.d.Written = d.Written
	}
	for _, x := range d.Rejected {
		x.Position = m.position(part, x.Position)
		if x.Key.ID != "" {
			x.Key = m.key(part, x.Key.ID)
		} else if x.School == "" && !x.Harmless {
			// It may be about anybody, but of this part only.
			m.suspend(part, "a row that could not be read may be about anybody of the source")
			x.Harmless = true
		}
		m.d.Rejected = append(m.d.Rejected, x)
	}
	for _, r := range d.Records {
		r.Key = m.key(part, r.Key.ID)
		if why := m.foreign(part, &r); why != "" {
			m.d.Rejected = append(m.d.Rejected, schoolmail.Rejection{
				Position: m.position(part, schoolmail.Position{File: d.Files[0]}), Kind: schoolmail.RejectedForeign, Reason: why,
				Key:    r.Key,
				School: r.Memberships[0].School,
			})
			continue
		}
		m.d.Records = append(m.d.Records, r)
	}
}

func (m *merger) key(part *Part, id string) schoolmail.RecordKey {
	return schoolmail.RecordKey{Source: m.d.Source, ID: part.Prefix + id}
}

// foreign says why a part may not speak for a person.
func (m *merger) foreign(part *Part, r *schoolmail.Record) string {
	if part.Prefix == "" && slices.ContainsFunc(m.prefixes, func(x string) bool { return foldPrefix(r.Key.ID, x) }) {
		return "an id as those of another source begin: expected ids that begin with no source's prefix"
	}
	if part.Roles != nil && !slices.Contains(part.Roles, r.Role) {
		return fmt.Sprintf("a %s: expected only roles that this source may speak for", r.Role)
	}
	for _, x := range r.Memberships {
		if part.Schools != nil && !slices.Contains(part.Schools, x.School) {
			return fmt.Sprintf("school %s: expected only schools that this source may speak for", x.School)
		}
	}
	return ""
}

// foldPrefix compares as directories do, without regard to case.
func foldPrefix(id, prefix string) bool {
	return len(id) >= len(prefix) && strings.EqualFold(id[:len(prefix)], prefix)
}

// delivery orders what was collected.
func (m *merger) delivery() schoolmail.Delivery {
	slices.SortFunc(m.d.Records, func(a, b schoolmail.Record) int { return a.Key.Compare(b.Key) })
	slices.Sort(m.sums)
	sum := sha256.Sum256([]byte(strings.Join(m.sums, "\n")))
	m.d.Fingerprint = "sha256:" + hex.EncodeToString(sum[:])
	m.d.Columns = maps.Clone(m.d.Columns)
	return m.d
}
