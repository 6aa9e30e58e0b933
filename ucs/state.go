package ucs

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// stateMark begins every value that is ours.
const stateMark = "schoolmail1"

// lifeRecord is what the directory has no attribute for. It is kept as one
// text value, see the package comment.
type lifeRecord struct {
	state       schoolmail.LifeCycle
	noticed     schoolmail.Date
	reminded    schoolmail.Date
	deactivated schoolmail.Date
	previous    schoolmail.Previous
	held        bool
	unlisted    bool
	noticeMail  string
	access      string
	made        schoolmail.Date
	marks       []schoolmail.Mark
	traits      schoolmail.Traits
	former      []schoolmail.Former
	called      string
	retired     schoolmail.Date // of a tombstone
	tombstone   bool
	extra       []string // fields of a later version, kept as they are
}

// parseState reads a state text strictly: a field it knows must be well
// formed and come once; a field it does not know is kept.
func parseState(text string) (lifeRecord, error) {
	var r lifeRecord
	fields := strings.Split(text, ";")
	if fields[0] != stateMark {
		return r, fmt.Errorf("state text does not begin with %q", stateMark)
	}
	seen := map[string]bool{}
	for _, f := range fields[1:] {
		key, raw, ok := strings.Cut(f, "=")
		if !ok || !validKey(key) {
			return r, fmt.Errorf("state text: field %q is not key=value", f)
		}
		if seen[key] {
			return r, fmt.Errorf("state text: %s comes twice", key)
		}
		seen[key] = true
		value, err := unescapeState(raw)
		if err != nil {
			return r, fmt.Errorf("state text: %s: %w", key, err)
		}
		known, err := r.set(key, value)
		if err != nil {
			return r, fmt.Errorf("state text: %s: %w", key, err)
		}
		if !known {
			r.extra = append(r.extra, f)
		}
	}
	if r.state == "" && !r.tombstone {
		return r, fmt.Errorf("state text: state is missing")
	}
	return r, nil
}

func (r *lifeRecord) set(key, value string) (known bool, err error) {
	switch key {
	case "state":
		r.state = schoolmail.LifeCycle(value)
		if !slices.Contains([]schoolmail.LifeCycle{schoolmail.Pending, schoolmail.Active, schoolmail.Leaving,
			schoolmail.Deactivated}, r.state) {
			return true, fmt.Errorf("unknown state %q", value)
		}
	case "noticed":
		r.noticed, err = stateDate(value)
	case "reminded":
		r.reminded, err = stateDate(value)
	case "deactivated":
		r.deactivated, err = stateDate(value)
	case "retired":
		r.tombstone = true
		if value != "" {
			r.retired, err = stateDate(value)
		}
	case "previous":
		r.previous, err = parsePrevious(value)
	case "held":
		if value != "yes" {
			return true, fmt.Errorf("expected yes")
		}
		r.held = true
	case "unlisted":
		if value != "yes" {
			return true, fmt.Errorf("expected yes")
		}
		r.unlisted = true
	case "notice":
		if value == "" {
			return true, fmt.Errorf("empty address")
		}
		r.noticeMail = value
	case "access":
		if value == "" {
			return true, fmt.Errorf("empty name")
		}
		r.access = value
	case "made":
		r.made, err = stateDate(value)
	case "marks":
		r.marks, err = parseMarks(value)
	case "former":
		r.former, err = parseFormer(value)
	case "called":
		if value == "" {
			return true, fmt.Errorf("empty name")
		}
		r.called = value
	case "birth":
		r.traits.Birth, err = value, hexText(value)
	case "number":
		r.traits.Number, err = value, hexText(value)
	default:
		return false, nil
	}
	return true, err
}

func stateDate(v string) (schoolmail.Date, error) {
	d, err := schoolmail.ParseDate(v)
	if err == nil && (d.IsZero() || d.String() != v) {
		err = fmt.Errorf("expected YYYY-MM-DD")
	}
	return d, err
}

func parsePrevious(v string) (p schoolmail.Previous, err error) {
	f := strings.Split(v, "/")
	if len(f) != 3 {
		return p, fmt.Errorf("expected context/user/date")
	}
	ctx, err := positive(f[0])
	if err != nil {
		return p, err
	}
	id, err := positive(f[1])
	if err != nil {
		return p, err
	}
	since, err := stateDate(f[2])
	return schoolmail.Previous{Context: schoolmail.ContextID(ctx), UserID: schoolmail.UserID(id), Since: since}, err
}

// parseMarks reads guard/day/role/school or guard/day/role/school/context, several of
// them with commas between.
func parseMarks(v string) ([]schoolmail.Mark, error) {
	var marks []schoolmail.Mark
	for part := range strings.SplitSeq(v, ",") {
		f := strings.Split(part, "/")
		if len(f) != 4 && len(f) != 5 || !validKey(f[0]) {
			return nil, fmt.Errorf("expected guard/day/role/school")
		}
		on, err := stateDate(f[1])
		if err != nil {
			return nil, err
		}
		m := schoolmail.Mark{Guard: f[0], On: on, Role: schoolmail.Role(f[2]), School: schoolmail.SchoolID(f[3])}
		if len(f) == 5 {
			from, err := positive(f[4])
			if err != nil {
				return nil, err
			}
			m.From = schoolmail.ContextID(from)
		}
		marks = append(marks, m)
	}
	return marks, nil
}

func marksText(marks []schoolmail.Mark) string {
	parts := make([]string, len(marks))
	for i, m := range marks {
		parts[i] = fmt.Sprintf("%s/%s/%s/%s", m.Guard, m.On, m.Role, m.School)
		if m.From != 0 {
			parts[i] += fmt.Sprintf("/%d", m.From)
		}
	}
	return strings.Join(parts, ",")
}

// parseFormer reads username/address/day or username/address/day/told, several of them
// with commas between.
func parseFormer(v string) ([]schoolmail.Former, error) {
	var list []schoolmail.Former
	for part := range strings.SplitSeq(v, ",") {
		p := strings.Split(part, "/")
		if len(p) != 3 && (len(p) != 4 || p[3] != "told") {
			return nil, fmt.Errorf("expected user/address/day")
		}
		until, err := stateDate(p[2])
		if err != nil {
			return nil, err
		}
		list = append(list, schoolmail.Former{Username: p[0], Mail: p[1], Until: until, Told: len(p) == 4})
	}
	return list, nil
}

func formerText(list []schoolmail.Former) string {
	parts := make([]string, len(list))
	for i, f := range list {
		parts[i] = fmt.Sprintf("%s/%s/%s", f.Username, f.Mail, f.Until)
		if f.Told {
			parts[i] += "/told"
		}
	}
	return strings.Join(parts, ",")
}

// hexText refuses what is no keyed hash, so that no value itself is ever kept.
func hexText(v string) error {
	if v == "" || strings.Trim(v, "0123456789abcdef") != "" {
		return fmt.Errorf("expected hexadecimal digits")
	}
	return nil
}

func positive(v string) (int, error) {
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != v {
		return 0, fmt.Errorf("%q is not a positive number", v)
	}
	return int(n), nil
}

func validKey(k string) bool {
	for _, c := range k {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return k != ""
}

// String writes the text. Fields come in a fixed order, unknown ones last.
func (r lifeRecord) String() string {
	var b strings.Builder
	b.WriteString(stateMark)
	put := func(key, value string) { b.WriteString(";" + key + "=" + escapeState(value)) }
	if r.state != "" {
		put("state", string(r.state))
	}
	if !r.noticed.IsZero() {
		put("noticed", r.noticed.String())
	}
	if !r.reminded.IsZero() {
		put("reminded", r.reminded.String())
	}
	if !r.deactivated.IsZero() {
		put("deactivated", r.deactivated.String())
	}
	if r.previous != (schoolmail.Previous{}) {
		put("previous", fmt.Sprintf("%d/%d/%s", r.previous.Context, r.previous.UserID, r.previous.Since))
	}
	if r.held {
		put("held", "yes")
	}
	if r.unlisted {
		put("unlisted", "yes")
	}
	if r.noticeMail != "" {
		put("notice", r.noticeMail)
	}
	if r.access != "" {
		put("access", r.access)
	}
	if !r.made.IsZero() {
		put("made", r.made.String())
	}
	if len(r.marks) > 0 {
		put("marks", marksText(r.marks))
	}
	if r.traits.Birth != "" {
		put("birth", r.traits.Birth)
	}
	if r.traits.Number != "" {
		put("number", r.traits.Number)
	}
	if len(r.former) > 0 {
		put("former", formerText(r.former))
	}
	if r.called != "" {
		put("called", r.called)
	}
	if r.tombstone {
		put("retired", r.retired.String())
	}
	for _, f := range r.extra {
		b.WriteString(";" + f)
	}
	return b.String()
}

// escapeState percent-encodes what would end a field, blanks (the matching
// rule collapses them) and control characters.
func escapeState(v string) string {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if c := v[i]; c <= ' ' || c == '%' || c == ';' || c == 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unescapeState(v string) (string, error) {
	s, err := url.PathUnescape(v)
	if err != nil {
		return "", fmt.Errorf("invalid escape")
	}
	return s, nil
}

// lifeOf takes the fields that live in the state text out of an account.
func lifeOf(a schoolmail.Account, extra []string) lifeRecord {
	return lifeRecord{state: a.State, noticed: a.NoticedOn, reminded: a.RemindedOn, deactivated: a.Deactivated,
		previous: a.Previous, held: a.Held, unlisted: a.Unlisted, noticeMail: a.NoticeMail, access: a.Access,
		made: a.Made, marks: a.Marks,
		traits: a.Traits, former: a.Former, called: a.Called, extra: extra}
}

// into puts them into an account.
func (r lifeRecord) into(a *schoolmail.Account) {
	a.State, a.NoticedOn, a.Deactivated, a.Previous, a.Held, a.NoticeMail, a.Access =
		r.state, r.noticed, r.deactivated, r.previous, r.held, r.noticeMail, r.access
	a.Made, a.Marks, a.Traits, a.Unlisted, a.RemindedOn = r.made, r.marks, r.traits, r.unlisted, r.reminded
	a.Former, a.Called = r.former, r.called
}
