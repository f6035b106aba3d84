-- The settings of accounts. An account that never changed them has no row.

CREATE TABLE account_settings (
    account          uuid     PRIMARY KEY,
    default_audience smallint NOT NULL,         -- 0 public, 1 connections, 3 nobody else
    who_may_message  smallint NOT NULL          -- 0 everyone, 1 connections
);
