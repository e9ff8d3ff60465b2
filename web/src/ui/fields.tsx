// What can be filled in. Each has a label, may have a hint, and says what is wrong with it where it is wrong.

import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

interface FieldProps {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  /** The label is for readers of the screen only. */
  isLabelHidden?: boolean;
}

interface Described {
  id: string;
  "aria-describedby"?: string;
  "aria-invalid"?: true;
}

/** A label, a control, what there is to say of it. `children` is given what ties them together. */
export function Field(props: FieldProps & { children: (tied: Described) => ComponentChildren }): JSX.Element {
  const id = useId();
  const about = props.error ?? props.hint;
  const tied: Described = { id };
  if (about) tied["aria-describedby"] = `${id}-about`;
  if (props.error) tied["aria-invalid"] = true;
  return (
    <div class="field">
      <label class={props.isLabelHidden ? "hidden" : "field-label"} for={id}>
        {props.label}
      </label>
      {props.children(tied)}
      {about && (
        <p id={`${id}-about`} class={props.error ? "field-error" : "field-hint"}>
          {about}
        </p>
      )}
    </div>
  );
}

export function TextField(
  props: FieldProps & {
    value: string;
    onInput: (value: string) => void;
    type?: "text" | "password" | "search";
    placeholder?: string;
    maxLength?: number;
    isRequired?: boolean;
    isMono?: boolean;
    autocomplete?: string;
  },
): JSX.Element {
  return (
    <Field {...props}>
      {(tied) => (
        <input
          {...tied}
          class={`input${props.isMono ? " mono" : ""}`}
          type={(props.type ?? "text") as "text"}
          value={props.value}
          placeholder={props.placeholder}
          maxLength={props.maxLength}
          required={props.isRequired}
          autocomplete={props.autocomplete ?? "off"}
          spellcheck={false}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

export function TextArea(
  props: FieldProps & {
    value: string;
    onInput: (value: string) => void;
    rows?: number;
    placeholder?: string;
    maxLength?: number;
    onKeyDown?: (event: KeyboardEvent) => void;
  },
): JSX.Element {
  return (
    <Field {...props}>
      {(tied) => (
        <textarea
          {...tied}
          class="input textarea"
          rows={props.rows ?? 3}
          value={props.value}
          placeholder={props.placeholder}
          maxLength={props.maxLength}
          onInput={(event) => props.onInput(event.currentTarget.value)}
          onKeyDown={props.onKeyDown}
        />
      )}
    </Field>
  );
}

/** A number, or nothing: what is left empty is left to the server. */
export function NumberField(
  props: FieldProps & {
    value: number | null;
    onInput: (value: number | null) => void;
    min?: number;
    max?: number;
    step?: number | "any";
    placeholder?: string;
  },
): JSX.Element {
  return (
    <Field {...props}>
      {(tied) => (
        <input
          {...tied}
          class="input number"
          type="number"
          inputMode={props.step === undefined || props.step === 1 ? "numeric" : "decimal"}
          value={props.value ?? ""}
          min={props.min}
          max={props.max}
          step={props.step ?? 1}
          placeholder={props.placeholder}
          onInput={(event) => {
            const text = event.currentTarget.value;
            props.onInput(text === "" ? null : Number(text));
          }}
        />
      )}
    </Field>
  );
}

export function Select<T extends string>(
  props: FieldProps & { value: T; options: readonly { value: T; text: string }[]; onChange: (value: T) => void },
): JSX.Element {
  return (
    <Field {...props}>
      {(tied) => (
        <select
          {...tied}
          class="input select"
          value={props.value}
          onChange={(event) => props.onChange(event.currentTarget.value as T)}
        >
          {props.options.map((option) => (
            <option key={option.value} value={option.value} selected={option.value === props.value}>
              {option.text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function Checkbox(props: {
  label: string;
  isOn: boolean;
  onChange: (isOn: boolean) => void;
  hint?: string;
  isDisabled?: boolean;
}): JSX.Element {
  const id = useId();
  return (
    <label class="checkbox">
      <input
        type="checkbox"
        checked={props.isOn}
        disabled={props.isDisabled}
        aria-describedby={props.hint ? id : undefined}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      <span>
        {props.label}
        {props.hint && (
          <small id={id} class="field-hint">
            {props.hint}
          </small>
        )}
      </span>
    </label>
  );
}

/** A range with its value beside it, which can also be typed. */
export function Slider(props: {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  onInput: (value: number) => void;
  isLabelHidden?: boolean;
  hint?: string;
}): JSX.Element {
  const set = (text: string): void => {
    const value = Number(text);
    if (text !== "" && Number.isFinite(value)) props.onInput(value);
  };
  return (
    <Field label={props.label} hint={props.hint} isLabelHidden={props.isLabelHidden ?? false}>
      {(tied) => (
        <div class="slider">
          <input
            {...tied}
            type="range"
            value={props.value}
            min={props.min}
            max={props.max}
            step={props.step}
            onInput={(event) => set(event.currentTarget.value)}
          />
          <input
            class="input slider-value"
            type="number"
            aria-label={props.label}
            value={props.value}
            step={props.step}
            onInput={(event) => set(event.currentTarget.value)}
          />
        </div>
      )}
    </Field>
  );
}

/** One of a few, side by side. */
export function Choice<T extends string>(props: {
  label: string;
  value: T;
  options: readonly { value: T; text: string }[];
  onChange: (value: T) => void;
}): JSX.Element {
  const name = useId();
  return (
    <fieldset class="choice">
      <legend class="field-label">{props.label}</legend>
      <div class="choice-row">
        {props.options.map((option) => (
          <label key={option.value} class="choice-one">
            <input
              type="radio"
              name={name}
              checked={option.value === props.value}
              onChange={() => props.onChange(option.value)}
            />
            <span>{option.text}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
