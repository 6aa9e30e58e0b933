package dovecottest

import (
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// listRequest is a parsed LIST (RFC 3501, 5258, 5819, 6154).
type listRequest struct {
	ref      string
	masks    []string
	selected []string // selection options
	returns  []string
	status   []string
}

// extended reports whether anything of RFC 5258 is used; attributes must then
// be asked for.
func (q listRequest) extended() bool {
	return len(q.masks) > 1 || q.selected != nil || q.returns != nil
}

func (x *session) list() (answer, error) {
	var q listRequest
	var err error
	in := x.in
	if err = in.space(); err != nil {
		return answer{}, err
	}
	if in.peek() == '(' {
		if q.selected, err = in.words(); err != nil {
			return answer{}, err
		}
		if err = in.space(); err != nil {
			return answer{}, err
		}
	}
	if q.ref, err = in.astring(); err != nil {
		return answer{}, err
	}
	if err = in.space(); err != nil {
		return answer{}, err
	}
	if in.peek() == '(' {
		in.expect('(')
		for {
			m, err := in.mask()
			if err != nil {
				return answer{}, err
			}
			q.masks = append(q.masks, m)
			if in.peek() == ')' {
				break
			}
			if err := in.space(); err != nil {
				return answer{}, err
			}
		}
		in.expect(')')
	} else {
		m, err := in.mask()
		if err != nil {
			return answer{}, err
		}
		q.masks = []string{m}
	}
	if in.peek() == ' ' {
		if err := in.listReturn(&q); err != nil {
			return answer{}, err
		}
	}
	if err := in.end(); err != nil {
		return answer{}, err
	}
	for _, o := range append(slices.Clone(q.selected), q.returns...) {
		if !slices.Contains([]string{"SUBSCRIBED", "RECURSIVEMATCH", "REMOTE", "CHILDREN", "SPECIAL-USE", "STATUS"},
			strings.ToUpper(o)) {
			return bad("Error in IMAP command LIST: Unknown option %s.", o), nil
		}
	}
	return x.sendList(q, "LIST"), nil
}

// listReturn reads " RETURN (SUBSCRIBED STATUS (MESSAGES ...) ...)".
func (l *lexer) listReturn(q *listRequest) error {
	l.space()
	w, err := l.atom()
	if err != nil || !strings.EqualFold(w, "RETURN") {
		return errSyntax
	}
	if err := l.space(); err != nil {
		return err
	}
	if err := l.expect('('); err != nil {
		return err
	}
	for l.peek() != ')' {
		if len(q.returns) > 0 {
			if err := l.space(); err != nil {
				return err
			}
		}
		w, err := l.atom()
		if err != nil {
			return err
		}
		q.returns = append(q.returns, w)
		if strings.EqualFold(w, "STATUS") {
			if err := l.space(); err != nil {
				return err
			}
			if q.status, err = l.words(); err != nil {
				return err
			}
		}
	}
	return l.expect(')')
}

func (x *session) lsub() (answer, error) {
	in := x.in
	if err := in.space(); err != nil {
		return answer{}, err
	}
	ref, err := in.astring()
	if err != nil {
		return answer{}, err
	}
	if err := in.space(); err != nil {
		return answer{}, err
	}
	mask, err := in.mask()
	if err != nil {
		return answer{}, err
	}
	if err := in.end(); err != nil {
		return answer{}, err
	}
	return x.sendList(listRequest{ref: ref, masks: []string{mask}, selected: []string{"SUBSCRIBED"}}, "LSUB"), nil
}

func (x *session) sendList(q listRequest, command string) answer {
	sep := x.srv.cfg.separator
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	done := ok("%s completed.", strings.ToUpper(command[:1])+strings.ToLower(command[1:]))
	if len(q.masks) == 1 && q.masks[0] == "" && command == "LIST" {
		x.line(`* LIST (\Noselect) %s ""`, quote(sep))
		return done
	}
	listed := x.st.names()
	subs := x.st.subscribed()
	names := listed
	if wants(q.selected, "SUBSCRIBED") {
		names = subs
	}
	for _, n := range names {
		if !slices.ContainsFunc(q.masks, func(m string) bool {
			m, valid := imapwire.DecodeName(q.ref + m)
			return valid && matchMask(foldInbox(m, sep), n, sep)
		}) {
			continue
		}
		if wants(q.selected, "SPECIAL-USE") && x.st.specialUse(n) == "" {
			continue
		}
		attrs := x.listAttributes(q, command, n, listed, subs)
		x.line("* %s (%s) %s %s", command, strings.Join(attrs, " "), quote(sep), quoteMailbox(n))
		if q.status != nil && !slices.Contains(attrs, `\Noselect`) && !slices.Contains(attrs, `\NonExistent`) {
			if text, err := x.statusOf(x.st.open(n), q.status); err == nil {
				x.line("* STATUS %s (%s)", quoteMailbox(n), text)
			}
		}
	}
	return done
}

// wants reports whether an option is in a list, in any case.
func wants(list []string, o string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, o) })
}

// listAttributes are the attributes of a mailbox in LIST and LSUB.
func (x *session) listAttributes(q listRequest, command, n string, listed, subs []string) (attrs []string) {
	sep := x.srv.cfg.separator
	_, auto := x.st.auto(n)
	switch {
	case !slices.Contains(listed, n):
		attrs = append(attrs, `\NonExistent`)
	case x.st.boxes[n] == nil && !auto && n != "INBOX":
		attrs = append(attrs, `\Noselect`)
	}
	if command == "LIST" && slices.Contains(subs, n) && (wants(q.returns, "SUBSCRIBED") ||
		wants(q.selected, "SUBSCRIBED")) {
		attrs = append(attrs, `\Subscribed`)
	}
	if command == "LIST" && (!q.extended() || wants(q.returns, "CHILDREN")) {
		if slices.ContainsFunc(listed, func(k string) bool { return strings.HasPrefix(k, n+sep) }) {
			attrs = append(attrs, `\HasChildren`)
		} else {
			attrs = append(attrs, `\HasNoChildren`)
		}
	}
	use := x.st.specialUse(n)
	if use != "" && (!q.extended() || wants(q.returns, "SPECIAL-USE") || wants(q.selected, "SPECIAL-USE") ||
		command == "LSUB") {
		attrs = append(attrs, use)
	}
	return attrs
}
