package main

import "tokenserver/sms"

// texts sends text messages for whoever needs one.
func (s *server) texts() *sms.Sender {
	return sms.NewSender(sms.Config{AllowPrivate: s.config.Outbound.AllowPrivate.SMS, Observe: s.metrics.Text}, s.settings,
		s.perMinute("texts", s.config.Limits.TextsPerMinute), s.log, s.now)
}
