CREATE OR REPLACE FUNCTION refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME,
        MESSAGE = TG_ARGV[0] || ': ' || (to_jsonb(OLD) ->> TG_ARGV[1]) || ' to ' || (to_jsonb(NEW) ->> TG_ARGV[1])
                  || ' is not a legal move';
END
$$;

CREATE OR REPLACE TRIGGER legal_moves AFTER UPDATE OF state ON cycles FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND CASE OLD.state
        WHEN 'due' THEN NEW.state NOT IN ('waiting', 'held', 'blocked', 'done', 'skipped', 'cancelled')
        WHEN 'waiting' THEN NEW.state NOT IN ('due', 'held', 'blocked', 'done', 'skipped', 'cancelled')
        WHEN 'held' THEN NEW.state NOT IN ('due', 'waiting', 'blocked', 'done', 'skipped', 'cancelled')
        WHEN 'blocked' THEN NEW.state NOT IN ('due', 'waiting', 'held', 'done', 'skipped', 'cancelled')
        WHEN 'skipped' THEN NEW.state NOT IN ('due') OR NEW.state = 'due' AND coalesce(OLD.reason, '') NOT IN ('before_known', 'before_cut_over')
        ELSE true END)
    EXECUTE FUNCTION refuse_move('cycle', 'state');

CREATE OR REPLACE TRIGGER legal_moves AFTER UPDATE OF status ON invoices FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND CASE OLD.status
        WHEN 'open' THEN NEW.status NOT IN ('uncollectible', 'paid', 'void')
        WHEN 'uncollectible' THEN NEW.status NOT IN ('paid', 'void')
        WHEN 'paid' THEN NEW.status NOT IN ('open')
        ELSE true END)
    EXECUTE FUNCTION refuse_move('invoice', 'status');

CREATE OR REPLACE TRIGGER legal_moves AFTER UPDATE OF state ON charges FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND CASE OLD.state
        WHEN 'due' THEN NEW.state NOT IN ('sending', 'not_sent')
        WHEN 'sending' THEN NEW.state NOT IN ('due', 'unknown', 'pending', 'action_required', 'declined', 'not_sent', 'succeeded')
        WHEN 'unknown' THEN NEW.state NOT IN ('due', 'pending', 'action_required', 'declined', 'not_sent', 'succeeded')
        WHEN 'pending' THEN NEW.state NOT IN ('action_required', 'declined', 'succeeded')
        WHEN 'action_required' THEN NEW.state NOT IN ('pending', 'declined', 'not_sent', 'succeeded')
        WHEN 'declined' THEN NEW.state NOT IN ('succeeded')
        WHEN 'not_sent' THEN NEW.state NOT IN ('succeeded')
        ELSE true END)
    EXECUTE FUNCTION refuse_move('charge', 'state');

CREATE OR REPLACE TRIGGER legal_moves AFTER UPDATE OF state ON refunds FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND CASE OLD.state
        WHEN 'due' THEN NEW.state NOT IN ('sending', 'failed')
        WHEN 'sending' THEN NEW.state NOT IN ('due', 'unknown', 'pending', 'succeeded', 'failed')
        WHEN 'unknown' THEN NEW.state NOT IN ('due', 'pending', 'succeeded', 'failed')
        WHEN 'pending' THEN NEW.state NOT IN ('succeeded', 'failed')
        WHEN 'succeeded' THEN NEW.state NOT IN ('failed')
        ELSE true END)
    EXECUTE FUNCTION refuse_move('refund', 'state');

CREATE OR REPLACE TRIGGER legal_moves AFTER UPDATE OF state ON pay_links FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND CASE OLD.state
        WHEN 'opening' THEN NEW.state NOT IN ('open', 'paying', 'paid', 'ended')
        WHEN 'open' THEN NEW.state NOT IN ('paying', 'paid', 'ended')
        WHEN 'paying' THEN NEW.state NOT IN ('open', 'paid', 'ended')
        WHEN 'ended' THEN NEW.state NOT IN ('paying', 'paid')
        ELSE true END)
    EXECUTE FUNCTION refuse_move('payment link', 'state');

CREATE OR REPLACE TRIGGER legal_moves AFTER UPDATE OF state ON payment_inquiries FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND CASE OLD.state
        WHEN 'asking' THEN NEW.state NOT IN ('answered', 'unanswered')
        WHEN 'answered' THEN NEW.state NOT IN ('asking')
        WHEN 'unanswered' THEN NEW.state NOT IN ('asking')
        ELSE true END)
    EXECUTE FUNCTION refuse_move('reversal inquiry', 'state');

CREATE OR REPLACE TRIGGER legal_moves AFTER UPDATE OF state ON notices FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND CASE OLD.state
        WHEN 'due' THEN NEW.state NOT IN ('sent', 'failed', 'skipped')
        WHEN 'failed' THEN NEW.state NOT IN ('due', 'skipped')
        ELSE true END)
    EXECUTE FUNCTION refuse_move('notice', 'state');

CREATE OR REPLACE TRIGGER legal_moves AFTER UPDATE OF state ON inbox FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND CASE OLD.state
        WHEN 'waiting' THEN NEW.state NOT IN ('applied', 'repeated', 'stale', 'rejected')
        WHEN 'rejected' THEN NEW.state NOT IN ('waiting')
        ELSE true END)
    EXECUTE FUNCTION refuse_move('message', 'state');
