package schoolmail

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// write gives out the plan's JSON, some items at a time; bare: without what names a person.
func (p *Plan) write(bare bool, out func([]byte)) {
	o := &object{b: make([]byte, 0, 1<<15), bare: bare}
	o.b = append(o.b, '{')
	o.sub("header", p.Header.fields)
	o.b = append(o.b, ",\n"...)
	writeList(o, out, "steps", p.Steps, (*Step).fields)
	o.b = append(o.b, ",\n"...)
	writeList(o, out, "held", p.Held, (*Held).fields)
	o.b = append(o.b, ",\n"...)
	writeList(o, out, "findings", p.Findings, (*Finding).fields)
	o.b = append(o.b, ",\n"...)
	writeList(o, out, "forecast", p.Forecast, (*Forecast).fields)
	out(append(o.b, "}\n"...))
}

func writeList[T any](o *object, out func([]byte), name string, list []T, fields func(*T, *object)) {
	o.b = append(append(append(o.b, '"'), name...), "\":["...)
	for i := range list {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = append(o.b, "\n {"...)
		fields(&list[i], o)
		o.b = append(o.b, '}')
		if len(o.b) > cap(o.b)-2048 {
			out(o.b)
			o.b = o.b[:0]
		}
	}
	o.b = append(o.b, ']')
}

// object writes the fields of a JSON object as encoding/json writes those of a
// struct.
type object struct {
	b    []byte
	bare bool // leave out what names a person, and sentences, which may

	day     Date // the last one that was written: most are the same
	dayText []byte
}

func (o *object) key(name string) {
	if o.b[len(o.b)-1] == '{' {
		o.b = append(o.b, '"')
	} else {
		o.b = append(o.b, ',', '"')
	}
	o.b = append(append(o.b, name...), '"', ':')
}

func (o *object) text(name, v string) {
	o.key(name)
	o.b = appendQuoted(o.b, v)
}

func (o *object) textIf(name, v string) {
	if v != "" {
		o.text(name, v)
	}
}

// named writes what names a person, or may.
func (o *object) named(name, v string) {
	if !o.bare {
		o.text(name, v)
	}
}

func (o *object) namedIf(name, v string) {
	if v != "" {
		o.named(name, v)
	}
}

func (o *object) number(name string, v int) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, int64(v), 10)
}

func (o *object) numberIf(name string, v int) {
	if v != 0 {
		o.number(name, v)
	}
}

func (o *object) flag(name string, v bool) {
	o.key(name)
	o.b = strconv.AppendBool(o.b, v)
}

func (o *object) flagIf(name string, v bool) {
	if v {
		o.flag(name, v)
	}
}

func (o *object) date(name string, v Date) {
	if v != o.day || o.dayText == nil {
		o.day, o.dayText = v, append(v.append(append(o.dayText[:0], '"')), '"')
	}
	o.key(name)
	o.b = append(o.b, o.dayText...)
}

func (o *object) dateIf(name string, v Date) {
	if !v.IsZero() {
		o.date(name, v)
	}
}

// sub writes a field that is an object itself.
func (o *object) sub(name string, write func(*object)) {
	o.key(name)
	o.b = append(o.b, '{')
	write(o)
	o.b = append(o.b, '}')
}

func (o *object) texts(name string, list []string) {
	o.key(name)
	if list == nil {
		o.b = append(o.b, "null"...)
		return
	}
	o.b = append(o.b, '[')
	for i, s := range list {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendQuoted(o.b, s)
	}
	o.b = append(o.b, ']')
}

func (o *object) textsIf(name string, list []string) {
	if len(list) > 0 {
		o.texts(name, list)
	}
}

func objects[T any](o *object, name string, list []T, write func(*object, *T)) {
	if len(list) == 0 {
		return
	}
	o.key(name)
	o.b = append(o.b, '[')
	for i := range list {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = append(o.b, '{')
		write(o, &list[i])
		o.b = append(o.b, '}')
	}
	o.b = append(o.b, ']')
}

// appendObject appends an object to b.
func appendObject(b []byte, bare bool, write func(*object)) []byte {
	o := object{b: append(b, '{'), bare: bare}
	write(&o)
	return append(o.b, '}')
}

func (h *Header) fields(o *object) {
	o.numberIf("format", h.Format)
	o.text("id", h.ID)
	o.date("now", h.Now)
	o.text("source", h.Source)
	o.text("delivery", h.Delivery)
	o.text("state", h.State)
	o.text("policy", h.Policy)
	o.number("records", h.Records)
	o.number("rejected", h.Rejected)
	o.number("accounts", h.Accounts)
	o.textIf("undoes", h.Undoes)
	if h.Only != nil {
		o.sub("only", h.Only.fields)
		o.number("left_out", h.LeftOut)
	}
}

func (s *Selection) fields(o *object) {
	textsOf(o, "schools", s.Schools)
	textsOf(o, "roles", s.Roles)
	textsOf(o, "people", s.People)
	textsOf(o, "kinds", s.Kinds)
}

func textsOf[T ~string](o *object, name string, list []T) {
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = string(t)
	}
	o.textsIf(name, texts)
}

func (s *Step) fields(o *object) {
	o.text("id", s.ID)
	o.text("kind", string(s.Action.Kind()))
	if s.Key.IsZero() {
		o.text("subject", s.Subject) // a context's name
	} else {
		o.named("subject", s.Subject)
		o.sub("key", s.Key.fields)
	}
	o.textIf("role", string(s.Role))
	o.textIf("school", string(s.School))
	o.named("reason", s.Reason)
	o.flagIf("destructive", s.Destructive)
	o.textsIf("after", s.After)
	o.sub("action", s.Action.fields)
}

func (h *Held) fields(o *object) {
	o.sub("step", h.Step.fields)
	o.named("why", h.Why)
	o.textIf("guard", h.Guard)
}

func (f *Finding) fields(o *object) {
	o.text("kind", f.Kind)
	o.named("text", f.Text)
	o.textIf("school", string(f.School))
	if !f.Key.IsZero() {
		o.sub("key", f.Key.fields)
	}
	if f.Position != (Position{}) {
		o.sub("position", func(o *object) {
			o.text("file", f.Position.File)
			o.numberIf("line", f.Position.Line)
			o.textIf("column", f.Position.Column)
		})
	}
}

func (f *Forecast) fields(o *object) {
	o.number("context", int(f.Context))
	o.text("name", f.Name)
	o.number("capacity", f.Capacity)
	o.number("before", f.Before)
	o.number("peak", f.Peak)
	o.number("after", f.After)
}

func (k *RecordKey) fields(o *object) {
	o.text("source", k.Source)
	o.text("id", k.ID)
}

func (p *Place) fields(o *object) {
	o.number("context", int(p.Context))
	o.number("user_id", int(p.UserID))
	o.named("username", p.Username)
	o.namedIf("mail", p.Mail)
	o.namedIf("display_name", p.DisplayName)
	o.namedIf("given_name", p.GivenName)
	o.namedIf("family_name", p.FamilyName)
	o.flag("mail_enabled", p.MailEnabled)
	o.flagIf("admin", p.Admin)
}

func (a *Account) fields(o *object) {
	if !a.Key.IsZero() {
		o.sub("key", a.Key.fields)
	}
	o.named("username", a.Username)
	o.textIf("role", string(a.Role))
	o.namedIf("given_name", a.GivenName)
	o.namedIf("family_name", a.FamilyName)
	o.namedIf("display_name", a.DisplayName)
	o.namedIf("mail", a.Mail)
	if !o.bare {
		o.textsIf("aliases", a.Aliases)
		objects(o, "former", a.Former, func(o *object, f *Former) {
			o.textIf("username", f.Username)
			o.textIf("mail", f.Mail)
			o.date("until", f.Until)
			o.flagIf("told", f.Told)
		})
		o.textIf("called", a.Called)
	}
	o.namedIf("phone", a.Phone)
	o.namedIf("notice_mail", a.NoticeMail)
	o.textIf("language", a.Language)
	objects(o, "memberships", a.Memberships, func(o *object, m *Membership) {
		o.text("school", string(m.School))
		o.textIf("level", string(m.Level))
		o.textsIf("classes", m.Classes)
		o.dateIf("from", m.From)
		o.dateIf("until", m.Until)
	})
	o.numberIf("context", int(a.Context))
	o.textIf("access", a.Access)
	o.textIf("state", string(a.State))
	o.dateIf("noticed_on", a.NoticedOn)
	o.dateIf("reminded_on", a.RemindedOn)
	o.dateIf("deactivated_on", a.Deactivated)
	if a.Previous != (Previous{}) {
		o.sub("previous", func(o *object) {
			o.number("context", int(a.Previous.Context))
			o.number("user_id", int(a.Previous.UserID))
			o.date("since", a.Previous.Since)
		})
	}
	o.flagIf("held", a.Held)
	o.flagIf("unlisted", a.Unlisted)
	o.dateIf("made_on", a.Made)
	objects(o, "marks", a.Marks, func(o *object, m *Mark) {
		o.text("guard", m.Guard)
		o.date("on", m.On)
		o.textIf("role", string(m.Role))
		o.textIf("school", string(m.School))
		o.numberIf("from", int(m.From))
	})
	if a.Traits != (Traits{}) && !o.bare {
		o.sub("traits", func(o *object) {
			o.textIf("birth", a.Traits.Birth)
			o.textIf("number", a.Traits.Number)
		})
	}
	o.namedIf("dn", a.DN)
}

// states writes the accounts before and after.
func (o *object) states(before, after *Account) {
	o.sub("before", before.fields)
	o.sub("after", after.fields)
}

func (a CreateContext) fields(o *object) {
	o.sub("spec", func(o *object) {
		o.number("id", int(a.Spec.ID))
		o.text("name", a.Spec.Name)
		o.number("capacity", a.Spec.Capacity)
		o.number("headroom", a.Spec.Headroom)
	})
}

func (a CreateAccount) fields(o *object) {
	o.sub("account", a.Account.fields)
	o.text("access", a.Access)
	o.flagIf("resume", a.Resume)
	o.flagIf("seat_exists", a.SeatExists)
}

func (a ChangeAccount) fields(o *object) {
	o.states(&a.Before, &a.After)
	o.texts("fields", a.Fields)
	o.text("access", a.Access)
	o.flagIf("seat_exists", a.SeatExists)
	o.flagIf("anew", a.Anew)
}

func (a RepairPlace) fields(o *object) {
	o.sub("account", a.Account.fields)
	o.text("access", a.Access)
	o.flag("missing", a.Missing)
	o.flagIf("restore", a.Restore)
	if a.Found != (Place{}) {
		o.sub("found", a.Found.fields)
	}
}

func (a TransferContext) fields(o *object) {
	o.states(&a.Before, &a.After)
	o.text("access", a.Access)
	o.flag("keep_copy", a.KeepCopy)
	o.number("old_copy", int(a.OldCopy))
	o.flagIf("seat_exists", a.SeatExists)
}

func (a DropCopy) fields(o *object) {
	o.states(&a.Before, &a.After)
	o.flagIf("with_account", a.WithAccount)
	if l := a.Leftover; l != nil {
		o.sub("leftover", func(o *object) {
			o.named("username", l.Username)
			o.number("context", int(l.Context))
			o.numberIf("user_id", int(l.UserID))
		})
	}
}

func (a SendNotice) fields(o *object) {
	o.states(&a.Before, &a.After)
	o.date("due", a.Due)
}

func (a SendReminder) fields(o *object) {
	o.states(&a.Before, &a.After)
	o.date("due", a.Due)
	o.number("days", a.Days)
}

func (a CancelNotice) fields(o *object) { o.states(&a.Before, &a.After) }

func (a Deactivate) fields(o *object) { o.states(&a.Before, &a.After) }

func (a Reactivate) fields(o *object) {
	o.states(&a.Before, &a.After)
	o.text("access", a.Access)
}

func (a Purge) fields(o *object) {
	o.sub("account", a.Account.fields)
	o.number("user_id", int(a.UserID))
}

const hexDigits = "0123456789abcdef"

// plainBytes stand for themselves in JSON.
var plainBytes = func() (plain [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		plain[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return plain
}()

// appendQuoted appends a text as encoding/json writes it.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plainBytes[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[from:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			case '\b':
				b = append(b, '\\', 'b')
			case '\f':
				b = append(b, '\\', 'f')
			default:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(append(b, s[from:i]...), `\ufffd`...)
			from = i + n
		case r == '\u2028' || r == '\u2029':
			b = append(append(b, s[from:i]...), `\u202`...)
			b = append(b, hexDigits[r&15])
			from = i + n
		}
		i += n
	}
	return append(append(b, s[from:]...), '"')
}
