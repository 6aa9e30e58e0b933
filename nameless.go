package schoolmail

// WithoutNames returns a plan as it can be kept for long: people are named by the
// keys of their records alone. User names, addresses, names, telephone numbers and
// hashes that tell people apart are taken out; the sentences (reasons, findings) go
// through sentence, which gives them back without names. The id stays and stays right.
// Such a plan cannot be applied or taken back until the names are there again.
func (p *Plan) WithoutNames(sentence func(string) string) (*Plan, error) {
	q := &Plan{Header: p.Header, Steps: make([]Step, len(p.Steps)), Held: make([]Held, len(p.Held)),
		Findings: make([]Finding, len(p.Findings)), Forecast: p.Forecast}
	for i := range p.Steps {
		if err := p.Steps[i].bare(&q.Steps[i], sentence); err != nil {
			return nil, err
		}
	}
	for i, h := range p.Held {
		q.Held[i] = Held{Why: sentence(h.Why), Guard: h.Guard}
		if err := h.Step.bare(&q.Held[i].Step, sentence); err != nil {
			return nil, err
		}
	}
	for i, f := range p.Findings {
		f.Text = sentence(f.Text)
		q.Findings[i] = f
	}
	return q, nil
}

// bare puts a step without names into to.
func (s *Step) bare(to *Step, sentence func(string) string) error {
	if err := to.UnmarshalJSON(appendObject(nil, true, s.fields)); err != nil {
		return err
	}
	to.Reason = sentence(s.Reason)
	if !s.Key.IsZero() {
		to.Subject = s.Key.String()
	}
	return nil
}

// Nameless reports whether the step names nobody, as in a plan [Plan.WithoutNames].
func (s *Step) Nameless() bool { return !s.Key.IsZero() && s.Subject == s.Key.String() }
